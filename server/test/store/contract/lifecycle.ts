import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../../src/session/errors.ts";
import type { ApiKey } from "../../../src/store/ports/credentials.ts";
import { DAY, HOUR, MINUTE, START } from "../../support/sessions.ts";
import { type DataFactory, openWorld } from "./world.ts";

function key(id: string, more: Partial<ApiKey>): ApiKey {
  return {
    id,
    hash: id.padEnd(64, "0"),
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

/** Ports `credentials` and `lifecycle`: API keys, secrets, the clock, the status and closing. */
export function housekeepingContract(name: string, make: DataFactory): void {
  test(`${name}: API keys are stored, listed oldest first, and revoked once`, async () => {
    await using world = await openWorld(make);
    assert.deepEqual(await world.store.listApiKeys(), []);
    const second = key("k1", { createdAt: START + 1, role: "customer", customerId: "é" });
    const first = key("k2", { role: "agent", agentId: "7", expiresAt: START + DAY });
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
    await world.store.addApiKey(key("k1", {}));
    await world.store.addApiKey(key("k2", {}));
    await world.store.recordApiKeyUse([]);
    await world.store.recordApiKeyUse([
      { id: "k1", at: START + HOUR },
      { id: "unknown", at: START + HOUR },
    ]);
    await world.store.recordApiKeyUse([{ id: "k1", at: START + MINUTE }]);
    const expected = [key("k1", { lastUsedAt: START + HOUR }), key("k2", {})];
    assert.deepEqual(await world.store.listApiKeys(), expected);
    await world.reopen();
    assert.deepEqual(await world.store.listApiKeys(), expected);
    await world.store.recordApiKeyUse([{ id: "k1", at: START + DAY }]);
    assert.equal((await world.store.listApiKeys())[0]?.lastUsedAt, START + DAY);
  });

  test(`${name}: a replaced API key expires at the given time, never later than before`, async () => {
    await using world = await openWorld(make);
    const old = key("k1", { role: "agent", agentId: "7" });
    const soon = key("k2", { expiresAt: START + MINUTE });
    const revoked = key("k3", { revokedAt: START });
    for (const one of [old, soon, revoked]) await world.store.addApiKey(one);
    const next = ["n1", "n2", "n3", "n4"].map((id) => key(id, { createdAt: START + 1 }));
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

  test(`${name}: of two simultaneous replacements of one API key exactly one succeeds`, async () => {
    await using world = await openWorld(make);
    await world.store.addApiKey(key("k1", {}));
    const replace = (id: string) => world.store.replaceApiKey("k1", key(id, {}), START + HOUR);
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
    // With equal times, the order of the calls decides.
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

  test(`${name}: the clock's high-water mark is the latest stored time, and never falls`, async () => {
    await using world = await openWorld(make);
    assert.ok((await world.store.clockHighWaterMark()) <= START);
    await world.store.advanceClock(START + HOUR);
    assert.equal(await world.store.clockHighWaterMark(), START + HOUR);
    await world.store.advanceClock(START + MINUTE);
    assert.equal(await world.store.clockHighWaterMark(), START + HOUR);
    await world.reopen();
    assert.equal(await world.store.clockHighWaterMark(), START + HOUR);
  });

  test(`${name}: every stored change advances the clock's high-water mark`, async () => {
    await using world = await openWorld(make);
    const session = world.newSession({ visitId: "v" });
    const anonymous = world.newId();
    const changes = [
      () => world.store.create(session, world.now),
      () => world.associate(session.id, { customerId: "c" }),
      () => world.store.end(anonymous, world.now),
    ];
    for (const change of changes) {
      world.now += MINUTE;
      await change();
      assert.ok((await world.store.clockHighWaterMark()) >= world.now);
    }
    await world.reopen();
    assert.ok((await world.store.clockHighWaterMark()) >= world.now);
  });

  test(`${name}: the status of an idle engine is writable, with nothing pending`, async () => {
    await using world = await openWorld(make);
    await world.create({ visitId: "v" });
    const { writable, pending, bytes } = world.store.status();
    assert.equal(writable, true);
    assert.equal(pending, 0);
    assert.ok(bytes === undefined || bytes > 0);
  });

  test(`${name}: every change is reported with the group in which it was committed`, async () => {
    await using world = await openWorld(make);
    await Promise.all(Array.from({ length: 100 }, (_, i) => world.create({ visitId: `v${i}` })));
    assert.equal(
      world.committed.reduce((sum, changes) => sum + changes, 0),
      100,
    );
    assert.ok(world.committed.length < 100, "changes that come together are committed together");
    assert.deepEqual(world.failures, []);
  });

  test(`${name}: closing completes every accepted change, including renewals`, async () => {
    await using world = await openWorld(make);
    const before = await world.create({ customerId: "c" });
    const session = world.newSession({ visitId: "v" });
    const anonymous = world.newId();
    world.now += 30 * MINUTE;
    const renewed = world.store.renew(before, world.now);
    const taken = [
      world.store.create(session, world.now - 30 * MINUTE),
      world.associate(anonymous, { visitId: "w" }),
      world.store.end(anonymous, world.now),
    ];
    const reopened = world.reopen();
    await Promise.all(taken);
    await reopened;
    assert.deepEqual(await world.store.find(before.id), renewed);
    assert.deepEqual(await world.store.find(session.id), session);
  });

  test(`${name}: a closed store refuses changes as unavailable`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    await world.reopen();
    const session = world.newSession({ visitId: "v" });
    await assert.rejects(store.create(session, world.now), (error) => {
      assert.ok(error instanceof Refusal);
      assert.equal(error.reason.code, "unavailable");
      return true;
    });
    assert.deepEqual(await world.store.find(session.id), world.described(session.id));
  });
}
