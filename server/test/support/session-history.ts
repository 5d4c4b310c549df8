import assert from "node:assert/strict";
import type { SessionEvent } from "../../src/session/event.ts";
import { type IdField, idFields } from "../../src/session/fields.ts";

/** The state of a session by its events alone. */
export interface SessionHistory {
  readonly ids: Partial<Record<IdField, string>>;
  readonly isCreated: boolean;
  readonly rotations: number;
  /** How the session is over; `null` while it lives. */
  readonly over: "ended" | "expired" | null;
}

/** The history of a session without events. */
export const noHistory: SessionHistory = { ids: {}, isCreated: false, rotations: 0, over: null };

/** Returns the history after one more event. Fails if the event cannot follow. */
export function historyAfter(history: SessionHistory, event: SessionEvent): SessionHistory {
  const { session, type } = event;
  const ids = Object.fromEntries(
    idFields.flatMap((field) => (session[field] === null ? [] : [[field, session[field]] as const])),
  );
  assert.equal(history.over, null, "nothing follows the end of a session");
  if (type === "session.created") {
    assert.ok(!history.isCreated, "a session is created once");
    return { ...history, ids, isCreated: true };
  }
  if (type === "session.associated") {
    assert.ok(history.isCreated, "a session is created before it is associated");
    assert.ok(event.added.length > 0);
    // The event of the creation shows the ids that its request has associated already.
    const known = { ...history.ids, ...Object.fromEntries(event.added.map((field) => [field, session[field]])) };
    assert.deepEqual(known, ids, "the identity is that of the moment");
    return { ...history, ids };
  }
  assert.deepEqual(history.ids, ids, "the identity is that of the moment");
  if (type === "session.rotated") return { ...history, rotations: history.rotations + 1 };
  return { ...history, over: type === "session.ended" ? "ended" : "expired" };
}
