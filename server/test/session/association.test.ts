// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { associate } from "../../src/session/association.ts";
import { idFields } from "../../src/session/fields.ts";
import { implicitSession, newSession } from "../../src/session/lifetime.ts";
import { type Identity, identityOf, type Session } from "../../src/session/session.ts";
import { HOUR, ids, lifetimes, MINUTE, START } from "../support/sessions.ts";

const ID = "A".repeat(40);
const all = ids({ agentId: "a", customerId: "c", visitId: "v", globalVisitId: "g" });

function changed(session: Session, given: Identity, now: number): Session {
  const result = associate(session, given, now, lifetimes);
  assert.equal(result.outcome, "changed");
  return (result as { session: Session }).session;
}

for (const field of idFields) {
  test(`${field} is set if it was missing, and never changes afterwards`, () => {
    const blank = implicitSession(ID, START, lifetimes);
    const first = changed(blank, ids({ [field]: "one" }), START + MINUTE);
    assert.equal(first[field], "one");
    for (const other of idFields) if (other !== field) assert.equal(first[other], null);

    const again = associate(first, ids({ [field]: "one" }), START + MINUTE, lifetimes);
    assert.deepEqual(again, { outcome: "unchanged", session: first });
    const different = associate(first, ids({ [field]: "two" }), START + MINUTE, lifetimes);
    assert.deepEqual(different, { outcome: "conflict", field });
    const otherCase = associate(first, ids({ [field]: "ONE" }), START + MINUTE, lifetimes);
    assert.deepEqual(otherCase, { outcome: "conflict", field });
  });
}

test("a conflict refuses the whole request, and names the first field in order", () => {
  const session = newSession(ID, START, ids({ customerId: "c", visitId: "v" }), lifetimes);
  const given = ids({
    agentId: "new",
    customerId: "other",
    visitId: "other",
    globalVisitId: "new",
  });
  assert.deepEqual(associate(session, given, START, lifetimes), {
    outcome: "conflict",
    field: "customerId",
  });
});

test("a conflict in the last field is found after three equal ones", () => {
  const session = newSession(ID, START, all, lifetimes);
  assert.deepEqual(associate(session, { ...all, globalVisitId: "other" }, START, lifetimes), {
    outcome: "conflict",
    field: "globalVisitId",
  });
});

test("an association counts as use and moves the expiry by the recognized lifetime", () => {
  const blank = implicitSession(ID, START, lifetimes);
  const session = changed(blank, ids({ customerId: "c" }), START + 20 * MINUTE);
  assert.equal(session.createdAt, START);
  assert.equal(session.lastActiveAt, START + 20 * MINUTE);
  assert.equal(session.expiresAt, START + 80 * MINUTE);
});

test("a visit alone leaves a session anonymous, with the anonymous lifetime", () => {
  const blank = implicitSession(ID, START, lifetimes);
  const session = changed(blank, ids({ visitId: "v", globalVisitId: "g" }), START + 20 * MINUTE);
  assert.equal(session.expiresAt, START + 50 * MINUTE);
});

test("a repeated association renews once a tenth of the idle time has passed, not before", () => {
  const session = newSession(ID, START, ids({ customerId: "c" }), lifetimes);
  const early = associate(session, ids({ customerId: "c" }), START + 6 * MINUTE - 1, lifetimes);
  assert.deepEqual(early, { outcome: "unchanged", session });
  const due = changed(session, ids({ customerId: "c" }), START + 6 * MINUTE);
  assert.equal(due.expiresAt, START + 66 * MINUTE);
});

test("the total lifetime is never exceeded", () => {
  const young = newSession(ID, START, ids({ visitId: "v" }), lifetimes);
  const old: Session = {
    ...young,
    lastActiveAt: START + 23 * HOUR + 50 * MINUTE,
    expiresAt: START + 24 * HOUR,
  };
  const now = START + 23 * HOUR + 55 * MINUTE;
  assert.equal(changed(old, ids({ globalVisitId: "g" }), now).expiresAt, START + 24 * HOUR);
  const recognized = changed(old, ids({ agentId: "a" }), now);
  assert.equal(recognized.expiresAt, now + HOUR, "the recognized life begins at the creation");
});

test("a session whose times are in the future, by another process's clock, never expires earlier", () => {
  const session = newSession(ID, START + MINUTE, ids({ visitId: "v" }), lifetimes);
  const later = changed(session, ids({ customerId: "c" }), START);
  assert.equal(later.lastActiveAt, START + MINUTE);
});

const value = fc.constantFrom(null, "x", "y", "X");
const identity = fc
  .array(value, { minLength: idFields.length, maxLength: idFields.length })
  .map((values) => identityOf((field) => values[idFields.indexOf(field)] ?? null));

test("whatever is requested, an id that is set never changes, and a refusal changes nothing", () => {
  fc.assert(
    fc.property(identity, fc.array(identity, { maxLength: 6 }), (start, requests) => {
      let session = newSession(ID, START, start, lifetimes);
      for (const request of requests) {
        const frozen = Object.freeze({ ...session });
        const result = associate(frozen, request, START, lifetimes);
        const clash = idFields.some((f) => request[f] !== null && session[f] !== null && request[f] !== session[f]);
        assert.equal(result.outcome === "conflict", clash);
        if (result.outcome === "conflict" || result.outcome === "rotation-limit") continue;
        for (const f of idFields) assert.equal(result.session[f], session[f] ?? request[f]);
        const adds = idFields.some((f) => session[f] === null && request[f] !== null);
        assert.equal(result.outcome, adds ? "changed" : "unchanged");
        session = result.session;
      }
    }),
    { numRuns: 2000 },
  );
});

test("a rotation is the next generation and a use of the session, with or without new ids, up to the limit", () => {
  const session = newSession(ID, START, ids({ customerId: "c" }), lifetimes);
  const later = START + MINUTE;
  for (const given of [ids({}), ids({ customerId: "c" }), ids({ agentId: "7" })]) {
    const result = associate(session, given, later, lifetimes, true);
    assert.equal(result.outcome, "changed");
    const { agentId } = given;
    const expected = { ...session, agentId, generation: 1, lastActiveAt: later, expiresAt: later + HOUR };
    assert.deepEqual("session" in result && result.session, expected);
  }
  const conflict = associate(session, ids({ customerId: "d" }), later, lifetimes, true);
  assert.deepEqual(conflict, { outcome: "conflict", field: "customerId" });
  const last = { ...session, generation: 255 };
  assert.deepEqual(associate(last, ids({}), later, lifetimes, true), { outcome: "rotation-limit" });
  assert.equal(associate(last, ids({ agentId: "7" }), later, lifetimes).outcome, "changed");
});
