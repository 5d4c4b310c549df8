import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiKey, SignOut } from "../../../src/store/ports/credentials.ts";
import { DAY, HOUR, MINUTE, START } from "../../support/sessions.ts";
import { type DataFactory, openWorld } from "./world.ts";

/** Returns an API key of an administrator, changed by `more`. */
export function apiKey(id: string, more: Partial<ApiKey> = {}): ApiKey {
  return {
    id,
    name: null,
    hash: id.replace("_", "").padEnd(64, "0"),
    role: "administrator",
    customerId: null,
    agentId: null,
    createdAt: START,
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
    successorId: null,
    ...more,
  };
}

/** Tests the port `credentials`: API keys and secrets. */
export function credentialsContract(name: string, make: DataFactory): void {
  test(`${name}: API keys are stored, listed oldest first, and revoked once`, async () => {
    await using world = await openWorld(make);
    assert.deepEqual(await world.store.listApiKeys(), []);
    const second = apiKey("k1", { name: 'Läden "😀" / 1', createdAt: START + 1, role: "customer", customerId: "é" });
    const first = apiKey("k2", { role: "agent", agentId: "7", expiresAt: START + DAY });
    await world.store.addApiKey(second);
    await world.store.addApiKey(first);
    assert.deepEqual(await world.store.listApiKeys(), [first, second]);

    assert.equal(await world.store.revokeApiKey("k1", START + HOUR), true);
    assert.equal(await world.store.revokeApiKey("k1", START + 2 * HOUR), false);
    assert.equal(await world.store.revokeApiKey("unknown", START), false);
    const revoked = { ...second, revokedAt: START + HOUR };
    assert.deepEqual(await world.store.listApiKeys(), [first, revoked]);
    await world.reopen();
    assert.deepEqual(await world.store.listApiKeys(), [first, revoked]);
  });

  test(`${name}: the latest use of an API key is stored, and uses of unknown keys are ignored`, async () => {
    await using world = await openWorld(make);
    await world.store.addApiKey(apiKey("k1", {}));
    await world.store.addApiKey(apiKey("k2", {}));
    await world.store.recordApiKeyUse([]);
    await world.store.recordApiKeyUse([
      { id: "k1", at: START + HOUR },
      { id: "unknown", at: START + HOUR },
    ]);
    await world.store.recordApiKeyUse([{ id: "k1", at: START + MINUTE }]);
    const expected = [apiKey("k1", { lastUsedAt: START + HOUR }), apiKey("k2", {})];
    assert.deepEqual(await world.store.listApiKeys(), expected);
    await world.reopen();
    assert.deepEqual(await world.store.listApiKeys(), expected);
    await world.store.recordApiKeyUse([{ id: "k1", at: START + DAY }]);
    assert.equal((await world.store.listApiKeys())[0]?.lastUsedAt, START + DAY);
  });

  test(`${name}: a replaced API key expires at the given time, never later than before`, async () => {
    await using world = await openWorld(make);
    const old = apiKey("k1", { name: "Shop server", role: "agent", agentId: "7" });
    const soon = apiKey("k2", { expiresAt: START + MINUTE });
    const revoked = apiKey("k3", { revokedAt: START });
    for (const one of [old, soon, revoked]) await world.store.addApiKey(one);
    const next = ["n1", "n2", "n3", "n4"].map((id) => apiKey(id, { name: "Shop server", createdAt: START + 1 }));
    const replaced: boolean[] = [];
    for (const [i, id] of ["k1", "k2", "k3", "unknown"].entries()) {
      replaced.push(await world.store.replaceApiKey(id, next[i] as ApiKey, START + HOUR));
    }
    assert.deepEqual(replaced, [true, true, false, false]);
    const expected = [
      { ...old, expiresAt: START + HOUR, successorId: "n1" },
      { ...soon, successorId: "n2" },
      revoked,
      next[0],
      next[1],
    ];
    assert.deepEqual(await world.store.listApiKeys(), expected);
    await world.reopen();
    assert.deepEqual(await world.store.listApiKeys(), expected);
  });

  test(`${name}: if an API key is replaced twice at the same time, exactly one replacement succeeds`, async () => {
    await using world = await openWorld(make);
    await world.store.addApiKey(apiKey("k1", {}));
    const replace = (id: string) => world.store.replaceApiKey("k1", apiKey(id, {}), START + HOUR);
    const replaced = await Promise.all([replace("n1"), replace("n2")]);
    const winner = replaced[0] ? "n1" : "n2";
    assert.deepEqual(replaced.toSorted(), [false, true]);
    assert.equal(await replace("n3"), false);
    const keys = await world.store.listApiKeys();
    assert.deepEqual(keys.map(({ id }) => id).toSorted(), ["k1", winner]);
    assert.equal(keys.find(({ id }) => id === "k1")?.successorId, winner);
  });

  test(`${name}: a new store has a secret of its own, which stays`, async () => {
    await using world = await openWorld(make);
    await using other = await openWorld(make);
    const secrets = await world.store.listSecrets();
    assert.equal(secrets.length, 1);
    assert.ok((secrets[0]?.bytes.length ?? 0) >= 32);
    assert.notDeepEqual(secrets, await other.store.listSecrets());
    await world.reopen();
    assert.deepEqual(await world.store.listSecrets(), secrets);
  });

  test(`${name}: a new secret comes before the older ones`, async () => {
    await using world = await openWorld(make);
    const [born] = await world.store.listSecrets();
    const added = [1, 2, 3].map((n) => new Uint8Array(32).fill(n));
    // With equal times, the secret that was added last comes first.
    for (const bytes of added) await world.store.addSecret({ bytes, createdAt: START });
    for (const when of ["at once", "after a restart"]) {
      const secrets = (await world.store.listSecrets()).map(({ bytes }) => Buffer.from(bytes));
      const expected = [...added.toReversed(), born?.bytes ?? new Uint8Array()];
      assert.deepEqual(
        secrets,
        expected.map((bytes) => Buffer.from(bytes)),
        when,
      );
      await world.reopen();
    }
  });

  test(`${name}: sign-outs are stored until they no longer matter`, async () => {
    await using world = await openWorld(make);
    assert.deepEqual(await world.store.listSignOuts(), []);
    const [first, second, third] = [1, 2, 3].map((i) => ({ id: `sign-in ${i}`, until: START + i * HOUR }));
    await world.store.addSignOut(first as SignOut, START);
    await world.store.addSignOut(second as SignOut, START);
    await world.store.addSignOut(first as SignOut, START);
    await world.reopen();
    assert.deepEqual(await world.store.listSignOuts(), [first, second]);
    await world.store.addSignOut(third as SignOut, START + HOUR);
    assert.deepEqual(await world.store.listSignOuts(), [second, third]);
  });
}
