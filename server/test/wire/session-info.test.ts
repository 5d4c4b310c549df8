// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { OpenedSession } from "../../src/services/sessions.ts";
import { idFields } from "../../src/session/fields.ts";
import { identityOf, noIdentity, type Session } from "../../src/session/session.ts";
import { noTraits } from "../../src/session/traits.ts";
import { maxLengthOf, sessionInfo, writeSessionInfo } from "../../src/wire/session-info.ts";

const session: Session = {
  ...noIdentity,
  ...noTraits,
  handle: "AZxK9ZQAAAECAwQFBgcICQoL",
  generation: 0,
  createdAt: Date.UTC(2026, 1, 28, 23, 59, 59, 9),
  lastActiveAt: Date.UTC(2026, 2, 1, 0, 0, 0, 70),
  expiresAt: Date.UTC(2026, 11, 31, 12, 34, 56, 789),
  ended: false,
};

/** Returns a session with its id. */
function opened(one: Session): OpenedSession {
  return { id: `${one.handle}DA0ODxAREhMUFRYX`, session: one };
}

/** Returns the expected JSON, made with `JSON.stringify`. */
function expected({ id, session: { createdAt, lastActiveAt, expiresAt, ...rest } }: OpenedSession) {
  return JSON.stringify({
    sessionId: id,
    state: rest.customerId === null && rest.agentId === null ? "anonymous" : "recognized",
    ...identityOf((field) => rest[field]),
    createdAt: new Date(createdAt).toISOString(),
    lastActiveAt: new Date(lastActiveAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
    ...(rest.profile === null ? {} : { profile: rest.profile }),
    ...(rest.label === null ? {} : { label: rest.label }),
  });
}

test("the JSON of a session has its ids and its times", () => {
  assert.equal(sessionInfo(opened(session)), expected(opened(session)));
  for (const field of idFields) {
    const other = opened({ ...session, [field]: "c-7" });
    assert.equal(sessionInfo(other), expected(other));
  }
});

const ids = fc.option(fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: "binary" })));
/** Times up to the year 20000, because lifetimes can be configured freely. */
const time = fc.integer({ min: 0, max: Date.UTC(20_000, 0) });

test("a session with any ids and times is written as JSON at the given offset", () => {
  const ofIds = { agentId: ids, customerId: ids, visitId: ids, globalVisitId: ids };
  const any = fc.record({ ...ofIds, profile: ids, label: ids });
  fc.assert(
    fc.property(any, time, time, time, (given, createdAt, lastActiveAt, expiresAt) => {
      const shown = opened({ ...session, ...given, createdAt, lastActiveAt, expiresAt });
      const room = maxLengthOf(shown);
      const bytes = Buffer.alloc(room + 20, "#");
      const end = writeSessionInfo(shown, bytes, 10);
      assert.ok(end <= 10 + room);
      const text = expected(shown);
      assert.equal(bytes.toString("utf8", 0, end + 10), `${"#".repeat(10)}${text}${"#".repeat(10)}`);
      assert.equal(sessionInfo(shown), text);
    }),
  );
});

test("the JSON of a session with the longest ids fits into the maximum length", () => {
  for (const character of ["\u0001", '"', "\\", "\ud800", "€", "😀"]) {
    const long = character.repeat(500);
    const shown = opened({ ...session, agentId: long, customerId: long, visitId: long, label: long });
    assert.equal(sessionInfo(shown), expected(shown));
  }
});

test("dates are right even for more days than are cached", () => {
  for (let day = 0; day < 200; day++) {
    const shown = opened({ ...session, expiresAt: session.expiresAt + day * 86_400_000 });
    assert.equal(sessionInfo(shown), expected(shown));
  }
});
