// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { isRenewalDue, renewed } from "../../src/session/lifetime.ts";
import { purgeAfter } from "../../src/session/retention.ts";
import { isLive, type Session } from "../../src/session/session.ts";
import { noTraits } from "../../src/session/traits.ts";
import { ids, START } from "../support/sessions.ts";
import { lifetimeVectors } from "./lifetime-vectors.ts";

for (const vector of lifetimeVectors) {
  test(`the rules in TypeScript: ${vector.name}`, () => {
    const { policy, expected, hasRecords = false } = vector;
    const { lifetimes } = policy;
    const now = START + vector.now;
    const session: Session = {
      ...ids(vector.ids),
      ...noTraits,
      ...vector.traits,
      handle: "A".repeat(24),
      generation: 0,
      createdAt: START,
      lastActiveAt: START + vector.lastActiveAt,
      expiresAt: START + vector.expiresAt,
      ended: vector.isEnded ?? false,
    };
    assert.equal(isLive(session, now), expected.isLive);
    if (expected.isLive) assert.equal(isRenewalDue(session, now, lifetimes), expected.isRenewalDue);
    const used = expected.isLive ? renewed(session, now, lifetimes) : session;
    assert.equal(used.expiresAt - START, expected.expiresAt);
    assert.equal(purgeAfter(used, hasRecords, policy) - START, expected.purgeAt);
  });
}
