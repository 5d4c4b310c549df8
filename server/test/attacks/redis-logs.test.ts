// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { keyFor, serve } from "../support/in-process.ts";
import { assertNoSecrets } from "../support/log-secrets.ts";
import { type RefusingRedis, startRefusingRedis } from "../support/redis/refusing.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { spawnServer } from "../support/server-process.ts";

/*
 * Error replies of Redis contain the arguments of the command: callers' ids, session ids and secrets. None of these may
 * appear in the log.
 */

let redis: SingleRedis;
let between: RefusingRedis;
before(async () => {
  redis = await startSingleRedis();
  between = await startRefusingRedis(redis.node);
});
after(async () => {
  await between[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

const mark = "SecretOfTheCaller";
let prefixes = 0;

/** The configuration of a server whose Redis connection can be made to reply with errors. */
function config() {
  const store = parseStoreUrl(`redis://127.0.0.1:${between.port}`) as StoreUrl;
  return { store, redisPrefix: `p${prefixes++}:`, redisTimeout: 150 };
}

/** Error replies with the wording of Redis. Each repeats the arguments of the command. */
const answers: readonly ((words: readonly string[]) => string)[] = [
  ...[
    ...["OOM command not allowed when used memory > 'maxmemory'.", "READONLY You can't write"],
    ...["NOPERM No permissions to access a key", "MISCONF Redis is configured to save"],
    ...["WRONGPASS invalid username-password pair", "NOAUTH Authentication required."],
    ...["LOADING Redis is loading the dataset in memory", "CLUSTERDOWN Hash slot not served"],
    ...["WRONGTYPE Operation against a key", "NOREPLICAS Not enough good replicas to write."],
    ...["MOVED 1234 127.0.0.1:1", "EXECABORT Transaction discarded", "NOSCRIPT No matching script."],
    ...["ERR wrong number of arguments for", "ERR Error running script (call to f_x): @user_script:3:"],
    ...["MADEUP nobody knows this one", "no code at all"],
  ].map((text) => (words: readonly string[]) => `${text} ${words.join(" ")}`),
  (words) => `ERR unknown command '${words[0]}', with args beginning with: '${words.slice(1).join("' '")}'`,
  (words) => `ERR user_script:7: bad argument #1 to 'insert' (${words.join(",")}) script: abc`,
];

/** Error codes that the log must still show. */
const shownCodes = ["OOM", "READONLY", "NOPERM", "MISCONF", "WRONGPASS", "WRONGTYPE", "MADEUP"];

/** Calls every operation that accepts an id, on an existing session. */
async function callEverything(server: { readonly url: string }, sessionId: string): Promise<void> {
  const api = createApi(server.url);
  const headers = { gkc_customerId: mark, gkc_agentId: mark };
  const json = { visitId: mark, globalVisitId: mark };
  const record = [{ method: "GET", path: `/${mark}`, status: 200, startedAt: new Date(), durationMs: 1 }];
  const calls = [
    api.create({ headers, json }),
    api.create({ headers: { ...headers, "idempotency-key": mark }, json }),
    api.retrieve(sessionId, { headers }),
    api.update(sessionId, { headers, json }),
    api.call("POST", `/sessions/${sessionId}/requests?durable=true`, { json: record }),
    api.call("GET", `/sessions/${sessionId}/requests`),
    api.call("DELETE", `/sessions/${sessionId}`),
    api.call("GET", `/sessions?customerId=${mark}`),
    api.call("DELETE", `/customers/${mark}`),
    api.call("GET", `/customers/${mark}/export`),
    api.call("GET", "/readyz"),
  ];
  const statuses = (await Promise.all(calls)).map(({ status }) => status);
  assert.ok(statuses.includes(503), String(statuses));
}

test("the log contains no id and no argument, whichever error Redis replies with", async () => {
  await using server = await serve({ config: { ...config(), logLevel: "trace" } });
  const api = createApi(server.url);
  // A busy machine may exceed the time limit.
  const create = async () => sessionOf(await api.create({ headers: { gkc_customerId: mark } }));
  const { sessionId } = await eventually(create);
  for (const answer of answers) {
    between.refuse(answer);
    const [code = ""] = answer([]).split(" ");
    await eventually(async () => {
      await callEverything(server, sessionId);
      if (shownCodes.includes(code)) assert.ok(server.log().includes(code), `${code} is shown`);
    });
  }
  between.refuse(undefined);
  await eventually(async () => assert.equal((await api.call("GET", "/readyz")).status, 200));
  const log = server.log();
  const revealing = log.split("\n").find((line) => line.includes(mark));
  assert.equal(revealing, undefined);
  assertNoSecrets(log);
});

test("if Redis refuses the first start of a server, the log does not show the new secret", async () => {
  // The last reply is the error for a missing permission.
  for (const answer of answers) {
    between.refuse(answer);
    await assert.rejects(
      async () => serve({ config: config() }),
      (error: unknown) => {
        assert.ok(error instanceof Error);
        assert.match(error.message, /^Redis at 127\.0\.0\.1:\d+ cannot be used: /);
        assertNoSecrets(`${error.message}\n${JSON.stringify(error)}\n${error.stack}`);
        assert.doesNotMatch(error.message, /evalsha|[.;]{2}/);
        return true;
      },
    );
  }
  between.refuse(undefined);
});

test("the log does not show the new secret if a replica is promoted during the first start", async () => {
  await using primary = await startSingleRedis();
  await using replica = await startSingleRedis();
  await replica.node.command("REPLICAOF", "127.0.0.1", primary.node.port);
  const link = () => replica.node.command("INFO", "replication");
  await eventually(async () => assert.match(String(await link()), /master_link_status:up/));
  const env = { ANTECHAMBER_STORE: replica.url, ANTECHAMBER_REDIS_TIMEOUT: "20s" };
  await using server = spawnServer({ env: { ...env, ANTECHAMBER_LOG_LEVEL: "trace" } });
  await eventually(async () => {
    const stats = String(await replica.node.command("INFO", "commandstats"));
    assert.match(stats, /cmdstat_eval:.*failed_calls=[1-9]/);
  });
  await replica.node.command("REPLICAOF", "NO", "ONE");
  await server.ready;
  const [line = ""] = (await replica.node.command("LRANGE", "ac:{fixed}secrets", 0, -1)) as string[];
  const secret = line.split(" ")[1] ?? "";
  assert.ok(secret.length > 40);
  await eventually(async () => assert.match(server.stderr(), /READONLY/));
  assert.ok(!server.stderr().includes(secret.slice(0, 8)));
  await server.kill();
});

test("if the password of Redis was changed, the log says so, and contains no ids", async () => {
  await using single = await startSingleRedis();
  const store = parseStoreUrl(single.url) as StoreUrl;
  await using server = await serve({ config: { store, redisTimeout: 2000 } });
  await single.node.command("CONFIG", "SET", "requirepass", "another one");
  await single.node.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  const api = createApi(server.url, { authorization: keyFor({}).bearer });
  await eventually(async () => {
    const { status } = await api.create({ headers: { gkc_customerId: mark } });
    assert.equal(status, 503);
    assert.match(server.log(), /NOAUTH/);
  });
  assert.ok(!server.log().includes(mark));
});
