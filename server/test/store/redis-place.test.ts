// runs: once

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createIdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import { StoreOpenError } from "../../src/store/open-error.ts";
import { run } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-ports.ts";
import { startRedis } from "../support/redis/node.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { ids, lifetimes } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* Only the configured server and database are used. If that is impossible, the start fails with the reason. */

const issuer = createIdIssuer([{ bytes: new Uint8Array(32).fill(7), createdAt: 0 }]);

function draft() {
  const { id, createdAt } = issuer.issue(Date.now());
  return newSession(id, createdAt, ids({ customerId: "c" }), lifetimes);
}

let redis: SingleRedis;
before(async () => {
  redis = await startSingleRedis();
});
after(async () => {
  await redis[Symbol.asyncDispose]();
});

/** Asserts that opening the store fails with the reason, and does not wait until the reason is gone. */
async function refuses(url: string, reason: RegExp): Promise<void> {
  const openTimeout = 60_000;
  const start = performance.now();
  await assert.rejects(openRedisAt(url, { openTimeout }), (error) => {
    assert.ok(error instanceof StoreOpenError && error.fault === "inaccessible");
    assert.match(error.message, reason);
    assert.doesNotMatch(error.message, /\.\.|[.;]\s*[.;]/);
    return true;
  });
  assert.ok(performance.now() - start < openTimeout, "must not wait");
}

test("servers and commands refuse a database that Redis does not have, and database 0 stays unchanged", async () => {
  await refuses(`${redis.url}/16`, /127\.0\.0\.1:\d+ cannot be used: database 16 .*none of this/);
  for (const args of [["keys", "create", "--role", "reporter"], ["sessions", "list"], ["serve"]]) {
    const { code, stderr } = await run(args, {
      env: { ANTECHAMBER_STORE: `${redis.url}/99`, ANTECHAMBER_PORT: "0" },
    });
    assert.equal(code, 4, stderr);
    assert.match(stderr, /database 99 cannot be used/);
  }
  assert.equal(await redis.node.command("DBSIZE"), 0);
});

test("a command that needs data writes nothing to an empty database", async () => {
  await using directory = temporaryDirectory();
  const env = { ANTECHAMBER_STORE: `${redis.url}/7` };
  const copying = ["migrate", "--from", `${redis.url}/7`, "--to", `sqlite:${directory.path}`];
  for (const args of [["keys", "list"], ["sessions", "list"], ["secrets", "rotate"], copying]) {
    const { code, stderr } = await run(args, { env });
    assert.equal(code, 4, stderr);
    assert.match(stderr, /There is no data in Redis under the name ac:\{fixed\}state/);
  }
  const size = await redis.node.command("EVAL", "redis.call('SELECT', 7) return redis.call('DBSIZE')", 0);
  assert.equal(size, 0);
  // An API key is created before the first server runs.
  const { code } = await run(["keys", "create", "--role", "reporter"], { env });
  assert.equal(code, 0);
  await redis.node.command("FLUSHALL");
});

test("a user without the right to select a database is refused for every database except 0", async () => {
  await redis.node.command("ACL", "SETUSER", "bound", "on", ">p", "~*", "+@all", "-select");
  const place = redis.url.replace("//", "//bound:p@");
  await refuses(`${place}/3`, /database 3 cannot be used: NOPERM.*SELECT/);
  assert.equal(await redis.node.command("DBSIZE"), 0);
  const store = await openRedisAt(`${place}/0`);
  await store.close();
  await redis.node.command("FLUSHALL");
});

test("nothing is sent to a Redis without the database after a restart, and the error says why", async () => {
  await using directory = temporaryDirectory();
  const port = await freePort();
  const start = (databases: number) =>
    startRedis({
      host: "127.0.0.1",
      port,
      dir: directory.path,
      settings: [
        ["databases", String(databases)],
        ["appendonly", "yes"],
      ],
    });
  let node = await start(16);
  const failures: string[] = [];
  const events = { ...unheard, failed: (error: unknown) => void failures.push(String(error)) };
  const open = (timeout: number) => openRedisAt(`redis://127.0.0.1:${port}/3`, { timeout, events });
  const kept = draft();
  const patient = await open(30_000);
  await patient.create(kept, Date.now());
  await patient.close();
  const store = await eventually(() => open(200));
  try {
    await node.kill();
    // A Redis with fewer databases could not load the data of database 3, so it gets an empty folder.
    await using other = temporaryDirectory();
    const smaller = await startRedis({
      host: "127.0.0.1",
      port,
      dir: other.path,
      settings: [["databases", "1"]],
    });
    await eventually(async () => {
      await assert.rejects(store.create(draft(), Date.now()));
      assert.ok(failures.some((text) => /database 3 cannot be used/.test(text)));
    });
    assert.equal(await smaller.command("DBSIZE"), 0);
    await smaller.kill();
    node = await start(16);
    await eventually(async () => assert.deepEqual(await store.find(kept.handle), kept));
  } finally {
    await store.close();
    await node.kill();
  }
});

test("a Redis server of another kind than configured (single, cluster, sentinel) is refused, with the right form of its address", async () => {
  const port = await freePort();
  await using directory = temporaryDirectory();
  const busPort = String(await freePort());
  const settings = [
    ["cluster-enabled", "yes"],
    ["cluster-port", busPort],
  ] as const;
  await using node = await startRedis({ host: "127.0.0.1", port, dir: directory.path, settings });
  assert.ok(node.isRunning);
  await refuses(`redis://127.0.0.1:${port}`, /node of a cluster; name it as redis\+cluster:/);
  await refuses(redis.url.replace("redis:", "redis+cluster:"), /no cluster; name it as redis:/);
  const sentinelPort = await freePort();
  const configFile = join(directory.path, "sentinel.conf");
  writeFileSync(configFile, `sentinel monitor primary 127.0.0.1 ${redis.node.port} 1\n`);
  const options = { host: "127.0.0.1", port: sentinelPort, dir: directory.path, configFile };
  await using sentinel = await startRedis({ ...options, isSentinel: true });
  await refuses(`redis://127.0.0.1:${sentinel.port}`, /sentinel; name it as redis\+sentinel:/);
});

test("a Redis that has no connection left is reported, without advice on addresses", async () => {
  await using directory = temporaryDirectory();
  const settings = [["maxclients", "1"]] as const;
  await using full = await startRedis({ host: "127.0.0.1", port: await freePort(), dir: directory.path, settings });
  // Keeps the only connection.
  await full.command("DBSIZE");
  const opening = () => openRedisAt(`redis://127.0.0.1:${full.port}`, { openTimeout: 300 });
  await eventually(() => assert.rejects(opening, /cannot be used: Redis has reached its maxclients$/));
});

test("a wrong password is reported at once, an unresponsive server while waiting", async () => {
  await refuses(redis.url.replace("//", "//nobody:wrong@"), /WRONGPASS/);
  const nowhere = `redis://127.0.0.1:${await freePort()}`;
  const steps: string[] = [];
  const events = { ...unheard, noticed: (_level: string, text: string) => void steps.push(text) };
  // On a busy machine the time may be over before Redis was tried.
  await eventually(async () => {
    steps.length = 0;
    const opening = openRedisAt(nowhere, { openTimeout: 1500, timeout: 200, events });
    await opening.catch(({ message }: Error) => steps.push(message));
    assert.match(steps[0] ?? "", /waiting for .*ECONNREFUSED/);
    assert.match(steps[1] ?? "", /cannot be used: .*ECONNREFUSED.*; check that it runs/);
  });
});

test("an address where something else than Redis answers, or nothing, is reported with what to check", async () => {
  const other = createServer((socket) => void socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  const refusesInTime = (url: string, reason: RegExp) =>
    eventually(() => assert.rejects(openRedisAt(url, { openTimeout: 400, timeout: 200, events: unheard }), reason));
  await Promise.all([
    refusesInTime(`redis://127.0.0.1:${port}`, /answers there is not Redis, or Redis with TLS; check the addr/),
    refusesInTime("redis://redis.invalid", /getaddrinfo \w+ redis\.invalid; check the name of the host in store$/),
  ]);
  other.close();
});
