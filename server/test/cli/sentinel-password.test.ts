// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi, sessionOf } from "../support/api.ts";
import { run, succeed } from "../support/command-line.ts";
import { startSentinelRedis } from "../support/redis/sentinel.ts";
import { startServer } from "../support/server-process.ts";

test("servers and commands use the password of the sentinels", async () => {
  const password = "s: e%c";
  await using redis = await startSentinelRedis({ password, downAfter: 20_000 });
  const env = { ANTECHAMBER_STORE: redis.url, ANTECHAMBER_SENTINEL_PASSWORD: password };
  await using server = await startServer({ env });
  const api = createApi(server.url);
  const headers = { gkc_customerId: "c" };
  const { sessionId } = sessionOf(await api.create({ headers }));
  assert.equal(sessionOf(await api.retrieve(sessionId, { headers })).sessionId, sessionId);
  assert.match(await succeed(["sessions", "list", "--customer", "c"], { env }), new RegExp(sessionId.slice(0, 24)));
  const shown = await succeed(["config", "show"], { env });
  assert.ok(!shown.includes(password), shown);
  await server.kill();

  for (const [wrong, reason] of [
    [{ ...env, ANTECHAMBER_SENTINEL_PASSWORD: "wrong" }, /WRONGPASS: the sentinels refuse the user/],
    [{ ...env, ANTECHAMBER_SENTINEL_PASSWORD: "" }, /NOAUTH: the sentinels refuse the user/],
    [{ ...env, ANTECHAMBER_STORE: `${redis.url}x` }, /know no primary of the name in the address$/m],
  ] as const) {
    const { code, stderr } = await run(["serve", "--port", "0"], { env: wrong });
    assert.equal(code, 4, stderr);
    assert.match(stderr, reason);
  }
});
