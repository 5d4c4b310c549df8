// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { expiryOf, implicitSession, isRenewalDue, newSession, renewed } from "../../src/session/lifetime.ts";
import { hasNoIds, isLive, isRecognized, noIdentity, type Session } from "../../src/session/session.ts";
import { noTraits } from "../../src/session/traits.ts";
import { HOUR, ids, lifetimes, MINUTE, START } from "../support/sessions.ts";

const HANDLE = "A".repeat(24);

test("an anonymous session has the anonymous lifetime, also with a visit", () => {
  for (const given of [ids({}), ids({ visitId: "v", globalVisitId: "g" })]) {
    assert.equal(newSession(HANDLE, START, given, lifetimes).expiresAt, START + 30 * MINUTE);
  }
});

test("a session with a customer or an agent has the recognized lifetime", () => {
  for (const given of [ids({ customerId: "c" }), ids({ agentId: "a" })]) {
    assert.equal(newSession(HANDLE, START, given, lifetimes).expiresAt, START + 60 * MINUTE);
  }
});

test("the times of a session that was never stored follow from its handle", () => {
  assert.deepEqual(implicitSession(HANDLE, START, lifetimes), {
    handle: HANDLE,
    generation: 0,
    createdAt: START,
    lastActiveAt: START,
    expiresAt: START + 30 * MINUTE,
    ended: false,
    ...noIdentity,
    ...noTraits,
  });
});

test("a session is live until the millisecond of its expiry, unless it was ended", () => {
  const session = newSession(HANDLE, START, ids({}), lifetimes);
  assert.equal(isLive(session, START), true);
  assert.equal(isLive(session, session.expiresAt - 1), true);
  assert.equal(isLive(session, session.expiresAt), false);
  assert.equal(isLive({ ...session, ended: true }, START), false);
});

test("the total lifetime limits the idle time", () => {
  const last = START + 24 * HOUR - 10 * MINUTE;
  assert.equal(expiryOf({ ...ids({}), ...noTraits }, START, last, lifetimes), START + 24 * HOUR);
  assert.equal(expiryOf({ ...ids({ agentId: "a" }), ...noTraits }, START, last, lifetimes), last + 60 * MINUTE);
});

test("a renewal is due from a tenth of the idle time on", () => {
  const session = newSession(HANDLE, START, ids({}), lifetimes);
  assert.equal(isRenewalDue(session, START, lifetimes), false);
  assert.equal(isRenewalDue(session, START + 3 * MINUTE - 1, lifetimes), false);
  assert.equal(isRenewalDue(session, START + 3 * MINUTE, lifetimes), true);
  assert.equal(renewed(session, START + 3 * MINUTE, lifetimes).expiresAt, START + 33 * MINUTE);
});

test("no renewal is due if it would not change the expiry", () => {
  const session: Session = {
    ...newSession(HANDLE, START, ids({}), lifetimes),
    lastActiveAt: START + 24 * HOUR - 20 * MINUTE,
    expiresAt: START + 24 * HOUR,
  };
  assert.equal(isRenewalDue(session, START + 24 * HOUR - MINUTE, lifetimes), false);
});

test("time never runs backwards in a session", () => {
  const session = newSession(HANDLE, START, ids({}), lifetimes);
  const same = renewed(session, START - HOUR, lifetimes);
  assert.equal(same.lastActiveAt, START);
  assert.equal(same.expiresAt, session.expiresAt);
});

test("if uses renew it, a session expires up to a tenth of the idle time early, and never late", () => {
  const gap = fc.integer({ min: 0, max: 40 * MINUTE });
  fc.assert(
    fc.property(fc.array(gap, { minLength: 1, maxLength: 80 }), (gaps) => {
      let session = implicitSession(HANDLE, START, lifetimes);
      let now = START;
      let used = START;
      for (const step of gaps) {
        now += step;
        const latest = Math.min(used + 30 * MINUTE, START + 24 * HOUR);
        const earliest = Math.min(used + 27 * MINUTE, START + 24 * HOUR);
        assert.ok(session.expiresAt <= latest, "late");
        assert.ok(session.expiresAt > earliest - 1, "more than a tenth early");
        if (!isLive(session, now)) return;
        used = now;
        if (isRenewalDue(session, now, lifetimes)) session = renewed(session, now, lifetimes);
      }
    }),
    { numRuns: 2000 },
  );
});

test("whether a session is recognized depends only on its ids", () => {
  assert.equal(isRecognized(ids({ visitId: "v", globalVisitId: "g" })), false);
  assert.equal(isRecognized(ids({ customerId: "c" })), true);
  assert.equal(isRecognized(ids({ agentId: "a" })), true);
  assert.equal(hasNoIds(ids({})), true);
  for (const field of ["agentId", "customerId", "visitId", "globalVisitId"]) {
    assert.equal(hasNoIds(ids({ [field]: "x" })), false, field);
  }
});
