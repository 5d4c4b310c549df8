import assert from "node:assert/strict";
import { test } from "node:test";
import type { Admin } from "../../src/control/admin.ts";
import { connectControl } from "../../src/control/client.ts";
import { anySession } from "../../src/session/filter.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { keyFor, serve } from "../support/in-process.ts";
import { assertComplete, inShort, leftBy } from "./trail.ts";

const key = keyFor({ role: "agent" }, { id: "k_a" });
const page = { filter: anySession, after: null };

/** Every operation of the control socket with its argument, and the entries that it leaves. */
const operations: Readonly<Record<keyof Admin, readonly [argument: unknown, ...leaves: string[]]>> =
  {
    listKeys: [undefined],
    createKey: [
      { role: "reporter", customerId: null, agentId: null, validFor: null },
      "key.create done",
    ],
    rotateKey: [{ id: key.key.id, grace: 0 }, "key.rotate done"],
    revokeKey: [key.key.id, "key.revoke done"],
    getSession: ["unknown"],
    endSession: ["unknown", "session.end done"],
    listSessions: [{ ...page, limit: 10 }],
    endSessions: [{ ...page, isDry: false }, "sessions.end done"],
    exportCustomer: [
      { customerId: "one", after: null },
      "customer.export begun",
      "customer.export done",
    ],
    eraseCustomer: ["one", "customer.erase begun", "customer.erase done"],
    auditTrail: [{ after: 0, limit: 10 }],
    noteAct: [{ what: "store.backup", outcome: "begun", details: {} }, "store.backup begun"],
    hashOf: ["one"],
    rotateSecret: [undefined, "secret.rotate done"],
    // A part of a move, about which the command that makes it has entered itself (noteAct).
    exportPage: [null],
  };

test("what is asked on the control socket is in the trail, with who asked", async () => {
  await using server = await serve({ keys: [key.key] });
  sessionOf(await createApi(server.url).create({ headers: { gkc_customerId: "one" } }));
  const admin = await connectControl(server.dataDir, "änna (uid 1000)");
  assert.ok(admin);
  assertComplete(operations, Object.keys(admin));
  for (const [name, [argument, ...leaves]] of Object.entries(operations)) {
    const ask = admin[name as keyof Admin] as (argument: unknown) => Promise<unknown>;
    const left = await leftBy(server.dataDir, () => ask(argument));
    assert.deepEqual(inShort(left), leaves, name);
    assert.ok(left.every(({ who }) => who.credential === "änna (uid 1000)"));
  }
  const nameless = await connectControl(server.dataDir);
  const [entry] = await leftBy(server.dataDir, async () => nameless?.rotateSecret());
  assert.equal(entry?.who.credential, null);
});

test("the command line enters its own acts alone", async () => {
  await using server = await serve();
  const admin = await connectControl(server.dataDir);
  for (const request of [
    { what: "customer.erase", outcome: "done", details: {} },
    { what: "store.backup", outcome: "refused", details: {} },
  ]) {
    const asked = admin?.noteAct(request as Parameters<Admin["noteAct"]>[0]);
    await assert.rejects(asked ?? Promise.resolve(), /has no such act/);
  }
});
