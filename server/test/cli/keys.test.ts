// runs: once

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { run, runHere, succeed, succeedJson } from "../support/command-line.ts";
import { serve } from "../support/in-process.ts";
import { startSingleRedis } from "../support/redis/single.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

interface KeyJson {
  readonly id: string;
  readonly name: string | null;
  readonly key?: string;
  readonly role: string;
  readonly customerId: string | null;
  readonly agentId: string | null;
  readonly status: string;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
  readonly successorId: string | null;
}

function bearer(key: string): RequestInit {
  return { method: "PUT", headers: { authorization: `Bearer ${key}` } };
}

test("a key is created, listed and revoked without a server", async () => {
  await using folder = temporaryDirectory();
  const data = ["--data-dir", folder.path];
  const made = await run(["keys", "create", "--role", "agent", "--agent", "anna", ...data]);
  assert.equal(made.code, 0, made.stderr);
  // Only the key is on stdout, so that a script can read it.
  assert.match(made.stdout, /^ak_[\w-]{43}\n$/);
  const [listed, ...others] = await succeedJson<KeyJson[]>(["keys", "list", ...data]);
  assert.ok(listed);
  assert.deepEqual(others, []);
  assert.match(listed.id, /^k_[\da-f]{12}$/);
  const shown = `This is the only time that the key ${listed.id} is shown.\nIt is valid until it is revoked.\n`;
  assert.ok(made.stderr.startsWith(shown), made.stderr);
  assert.deepEqual([listed.role, listed.agentId, listed.customerId], ["agent", "anna", null]);
  assert.deepEqual([listed.status, listed.expiresAt], ["valid", null]);
  const key = made.stdout.trim();
  const hash = createHash("sha256").update(key).digest("hex");
  for (const text of [JSON.stringify(listed), await succeed(["keys", "list", ...data])]) {
    assert.ok(!text.includes(key) && !text.includes(hash));
  }
  await succeed(["keys", "revoke", listed.id, ...data]);
  const [revoked] = await succeedJson<KeyJson[]>(["keys", "list", ...data]);
  assert.equal(revoked?.status, "revoked");
  const again = await runHere(["keys", "revoke", listed.id, ...data]);
  assert.equal(again.code, 3);
  assert.match(again.stderr, /there is no key k_.*antechamber keys list shows/);
});

test("a key can be created only with a valid name, and for a customer or an agent only with that role and a valid id", async () => {
  const cases: [args: string[], message: RegExp][] = [
    [["--role", "agent", "--customer", "c"], /the role agent has no customer/],
    [["--role", "customer", "--agent", "a"], /the role customer has no agent/],
    [["--role", "reporter", "--agent", "a"], /the role reporter has no agent/],
    [["--role", "administrator", "--customer", "c"], /the role administrator has no customer/],
    [["--role", "customer", "--customer", ""], /the customer's id is empty/],
    [["--role", "agent", "--agent", "x".repeat(257)], /is longer than 256 characters/],
    [["--role", "agent", "--agent", "a\tb"], /contains a control character/],
    [["--role", "customer", "--customer", " c"], /the customer's id begins or ends with a space/],
    [["--role", "service", "--agent", "a"], /the role service has no agent/],
    [["--role", "service", "--name", ""], /the name of the key is empty/],
    [["--role", "service", "--name", "Shop "], /the name of the key begins or ends with a space/],
    [["--role", "service", "--name", "Shop\nserver"], /the name of the key contains a control character/],
    [["--role", "service", "--name", "é".repeat(65)], /the name of the key is longer than 64 characters/],
    [["--role", "agent", "--expires", "soon"], /"soon" is not a duration such as 90d/],
    [["--role", "agent", "--expires", "0d"], /would expire at once/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runHere(["keys", "create", ...args]);
    assert.equal(code, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, message);
  }
});

test("a key expires after the time with which it was created", async () => {
  await using folder = temporaryDirectory();
  const args = ["keys", "create", "--role", "reporter", "--data-dir", folder.path];
  const long = await succeedJson<KeyJson>([...args, "--expires", "90d"]);
  const life = Date.parse(String(long.expiresAt)) - Date.parse(long.createdAt);
  assert.equal(life, 90 * 86_400_000);
  await succeed([...args, "--expires", "1ms"]);
  const keys = await succeedJson<KeyJson[]>(["keys", "list", "--data-dir", folder.path]);
  assert.deepEqual(
    keys.map(({ status }) => status),
    ["valid", "expired"],
  );
});

test("a running server accepts a new key at once, and refuses a revoked key at once", async () => {
  await using server = await serve({ config: { auth: "key" } });
  const data = ["--data-dir", server.dataDir];
  const url = `${server.url}/sessions/new`;
  assert.equal((await fetch(url, { method: "PUT" })).status, 401);
  const { key, id } = await succeedJson<KeyJson>(["keys", "create", "--role", "agent", ...data]);
  assert.ok(key);
  assert.equal((await fetch(url, bearer(key))).status, 200);
  await succeed(["keys", "revoke", id, ...data]);
  assert.equal((await fetch(url, bearer(key))).status, 401);
  assert.equal((await runHere(["keys", "revoke", id, ...data])).code, 3);
});

test("the list shows when a key was last used, with a running server and afterwards", async () => {
  await using folder = temporaryDirectory();
  const data = ["--data-dir", folder.path];
  const create = ["keys", "create", "--role", "reporter", ...data];
  const used = await succeedJson<KeyJson>(create);
  const unused = await succeedJson<KeyJson>(create);
  assert.deepEqual([used.lastUsedAt, unused.lastUsedAt], [null, null]);
  const list = () => succeedJson<KeyJson[]>(["keys", "list", ...data]);
  const useOf = (keys: KeyJson[], { id }: KeyJson) => Date.parse(keys.find((key) => key.id === id)?.lastUsedAt ?? "");

  await using server = await serve({ config: { auth: "key", dataDir: folder.path } });
  const call = async (key = "") => (await fetch(`${server.url}/sessions/new`, bearer(key))).status;
  const before = Date.now();
  assert.equal(await call(used.key), 200);
  assert.equal(await call(`${unused.key}x`), 401);
  const first = useOf(await list(), used);
  assert.ok(first >= before && first <= Date.now(), String(first));
  assert.equal(await call(used.key), 200);
  await server.stop();
  const keys = await list();
  assert.ok(useOf(keys, used) >= first);
  assert.ok(Number.isNaN(useOf(keys, unused)), "a key that was never shown was never used");
});

test("during a rotation the old or the new key is always valid", async () => {
  await using server = await serve({ config: { auth: "key" } });
  const data = ["--data-dir", server.dataDir];
  const call = async (key = "") => (await fetch(`${server.url}/sessions/new`, bearer(key))).status;
  const made = ["keys", "create", "--role", "agent", "--agent", "anna", "--expires", "90d"];
  const old = await succeedJson<KeyJson>([...made, ...data]);
  const rotate = ["keys", "rotate", old.id, ...data];
  const next = await succeedJson<KeyJson>([...rotate, "--grace", "1h"]);
  assert.deepEqual([await call(old.key), await call(next.key)], [200, 200]);
  assert.deepEqual([next.role, next.agentId, next.status], ["agent", "anna", "valid"]);
  const life = (key: KeyJson) => Date.parse(key.expiresAt ?? "") - Date.parse(key.createdAt);
  assert.equal(life(next), life(old));
  const [ending] = await succeedJson<KeyJson[]>(["keys", "list", ...data]);
  assert.equal(ending?.id, old.id);
  assert.equal(ending.successorId, next.id);
  assert.equal(Date.parse(ending.expiresAt ?? "") - Date.parse(next.createdAt), 3_600_000);
  await succeed(["keys", "revoke", old.id, ...data]);
  assert.deepEqual([await call(old.key), await call(next.key)], [401, 200]);
  const again = await runHere(rotate);
  assert.equal(again.code, 3, again.stderr);
  assert.match(again.stderr, /there is no valid key k_/);
  const fault = await runHere(["keys", "rotate", old.id, "--grace", "soon"]);
  assert.equal(fault.code, 2);
});

test("commands that read create nothing in a folder without data", async () => {
  await using folder = temporaryDirectory();
  const missing = `${folder.path}/missing`;
  for (const args of [
    ["keys", "list"],
    ["keys", "revoke", "k_0"],
    ["sessions", "get", "x"],
  ]) {
    const { code, stderr } = await runHere([...args, "--data-dir", missing]);
    assert.equal(code, 4, args.join(" "));
    assert.match(stderr, /there is no data in .*missing/);
  }
  assert.equal((await runHere(["doctor", "--data-dir", missing])).code, 4);
  assert.equal((await runHere(["backup", `${missing}.db`, "--data-dir", missing])).code, 4);
});

for (const running of [true, false]) {
  const where = running ? "while a server runs" : "without a server";
  test(`a key can be rotated only once, but its successor can be rotated too, ${where}`, async () => {
    await using folder = temporaryDirectory();
    await using server = running ? await serve({ config: { dataDir: folder.path } }) : undefined;
    const data = ["--data-dir", server?.dataDir ?? folder.path];
    const make = ["keys", "create", "--role", "agent", ...data];
    for (const lifetime of [[], ["--expires", "90d"]]) {
      const old = await succeedJson<KeyJson>([...make, ...lifetime]);
      const rotated = await runHere(["keys", "rotate", old.id, ...data]);
      assert.equal(rotated.code, 0, rotated.stderr);
      const list = await succeedJson<KeyJson[]>(["keys", "list", ...data]);
      const ending = list.find(({ id }) => id === old.id);
      const next = list.find(({ id }) => id === ending?.successorId);
      assert.ok(ending && next);
      // The output says how long the old key and its successor are valid.
      assert.ok(rotated.stderr.includes(`It is valid until ${next.expiresAt ?? "it is revoked"}.`));
      assert.ok(rotated.stderr.includes(`${old.id} is valid until ${ending.expiresAt}.`));
      const again = await runHere(["keys", "rotate", old.id, "--grace", "1h", ...data]);
      assert.deepEqual([again.code, again.stdout], [1, ""]);
      assert.match(again.stderr, new RegExp(`rotated already.*successor is ${next.id}`));
      assert.deepEqual(await succeedJson<KeyJson[]>(["keys", "list", ...data]), list);
      // Every successor gets the same lifetime as the first key.
      const third = await succeedJson<KeyJson>(["keys", "rotate", next.id, ...data]);
      const life = ({ createdAt, expiresAt }: KeyJson) =>
        expiresAt === null ? null : Date.parse(expiresAt) - Date.parse(createdAt);
      assert.deepEqual([life(next), life(third)], [life(old), life(old)]);
    }
  });
}

for (const engine of ["SQLite", "Redis"]) {
  test(`the name of a key is in lists and in the audit trail, and its successor has it, over ${engine}`, async () => {
    await using folder = temporaryDirectory();
    await using redis = engine === "Redis" ? await startSingleRedis() : undefined;
    const store = redis ? ["--store", redis.url] : ["--data-dir", folder.path];
    const json = async <Result>(...args: string[]): Promise<Result> => {
      const { code, stdout, stderr } = await runHere([...args, ...store, "--json"]);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as Result;
    };
    const name = "🛒".repeat(64);
    const old = await json<KeyJson>("keys", "create", "--role", "service", "--name", name);
    const theirs = ["--role", "customer", "--customer", "anna", "--name", "Anna Änder"];
    const customers = await json<KeyJson>("keys", "create", ...theirs);
    const unnamed = await json<KeyJson>("keys", "create", "--role", "service");
    const next = await json<KeyJson>("keys", "rotate", old.id);
    assert.equal((await runHere(["keys", "rotate", old.id, ...store])).code, 1);
    assert.equal((await runHere(["keys", "revoke", old.id, ...store])).code, 0);
    assert.equal((await runHere(["keys", "revoke", customers.id, ...store])).code, 0);
    assert.deepEqual([old.name, next.name, customers.name, unnamed.name], [name, name, "Anna Änder", null]);
    const names = new Map((await json<KeyJson[]>("keys", "list")).map((key) => [key.id, key.name]));
    assert.deepEqual(
      [old, next, customers, unnamed].map(({ id }) => names.get(id)),
      [name, name, "Anna Änder", null],
    );
    const table = (await runHere(["keys", "list", ...store])).stdout;
    assert.match(table, new RegExp(`^${old.id} +${name} +service +- `, "m"));
    assert.match(table, new RegExp(`^${unnamed.id} +- +service +- `, "m"));
    const trail = (await runHere(["audit", "list", "--json", ...store])).stdout.trim().split("\n");
    const entries = trail.map((line) => JSON.parse(line) as { what: string; details: { name?: string | null } });
    assert.deepEqual(
      entries.map(({ what, details }) => [what, details.name]),
      [
        ["key.create", name],
        // The name of a customer's key may be the customer's name, which an erasure could not remove from the trail.
        ["key.create", null],
        ["key.create", null],
        ["key.rotate", name],
        ["key.rotate", name],
        ["key.revoke", name],
        ["key.revoke", null],
      ],
    );
  });
}

test("the audit trail shows callers by the name and the id of their key", async () => {
  await using server = await serve({ config: { auth: "key" } });
  const data = ["--data-dir", server.dataDir];
  const create = ["keys", "create", "--role", "service", ...data];
  const named = await succeedJson<KeyJson>([...create, "--name", "Shop server"]);
  const unnamed = await succeedJson<KeyJson>(create);
  for (const { key } of [named, unnamed]) {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const body = JSON.stringify({ customerId: "anna", dryRun: true });
    assert.equal((await fetch(`${server.url}/sessions/end`, { method: "POST", headers, body })).status, 200);
  }
  const trail = await succeed(["audit", "list", "--last", "2", ...data]);
  assert.match(trail, new RegExp(`Z +Shop server \\(${named.id}\\) +127\\.0\\.0\\.1 +sessions\\.end`));
  assert.match(trail, new RegExp(`Z +${unnamed.id} +127\\.0\\.0\\.1 +sessions\\.end`));
});

test("the audit trail has the id of the key that the command was called with, and readable times", async () => {
  await using folder = temporaryDirectory();
  const data = ["--data-dir", folder.path];
  const { id } = await succeedJson<KeyJson>(["keys", "create", "--role", "agent", "--expires", "90d", ...data]);
  const secret = `ak_${"s".repeat(43)}`;
  for (const args of [
    ["rotate", id],
    ["rotate", id],
    ["rotate", "k_typo"],
    ["revoke", "k_typo"],
    ["revoke", secret],
    ["revoke", secret.slice(1)],
  ]) {
    await runHere(["keys", ...args, ...data]);
  }
  const trail = await succeed(["audit", "list", ...data]);
  assert.match(trail, /key\.rotate +done .*successorOf=k_typo .*isFound=false/);
  assert.match(trail, /key\.revoke +done +key=k_typo isFound=false/);
  assert.match(trail, new RegExp(`key\\.rotate +done +successorOf=${id} .*isDone=false`));
  assert.match(trail, /expiresAt=\d{4}-\d\d-\d\dT/);
  assert.match(trail, /validUntil=\d{4}-\d\d-\d\dT/);
  assert.doesNotMatch(trail, /=\d{12}|sss/);
});

test("creating a key in a folder where no server has run prints a note with the folder's path", async () => {
  await using folder = temporaryDirectory();
  const create = ["keys", "create", "--role", "agent"];
  const mistyped = join(folder.path, "mistyped");
  const made = await run([...create, "--json", "--data-dir", "./mistyped"], { cwd: folder.path });
  assert.equal(made.code, 0);
  assert.match((JSON.parse(made.stdout) as KeyJson).key ?? "", /^ak_/);
  assert.ok(made.stderr.includes(`made the data folder ${mistyped}: no server has run there`));
  assert.match(made.stderr, /--data-dir or ANTECHAMBER_DATA_DIR/);
  // No note this time: the folder has data since the first key was created.
  const again = await runHere([...create, "--data-dir", mistyped]);
  assert.deepEqual([again.code, again.stderr.includes("no server has run")], [0, false]);
  await using server = await serve();
  const known = await runHere([...create, "--data-dir", server.dataDir]);
  assert.deepEqual([known.code, known.stderr.includes("no server has run")], [0, false]);
});

test("creating a key in an empty Redis prints a note with its address", async () => {
  await using redis = await startSingleRedis();
  const create = ["keys", "create", "--role", "agent", "--store", redis.url, "--redis-prefix", "other:"];
  const made = await runHere(create);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stderr, /"other:" was empty: no server has used it/);
  const again = await runHere(create);
  assert.deepEqual([again.code, again.stderr.includes("was empty")], [0, false]);
});
