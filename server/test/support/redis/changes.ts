import assert from "node:assert/strict";
import { createIdIssuer } from "../../../src/session/id.ts";
import { newSession } from "../../../src/session/lifetime.ts";
import type { Identity, Session } from "../../../src/session/session.ts";
import type { StoreEngine } from "../../../src/store/ports/engine.ts";
import { ids, lifetimes } from "../sessions.ts";

/** Creates an issuer of ids, as each process has one. */
export const newIssuer = () => createIdIssuer([{ bytes: new Uint8Array(32).fill(7), createdAt: 0 }]);
const issuer = newIssuer();

/** Returns a new session with these ids. It is not stored. */
export function draft(given: Partial<Identity>, now = Date.now(), by = issuer): Session {
  const { handle, createdAt } = by.issue(now);
  return newSession(handle, createdAt, ids(given), lifetimes);
}

/** Stores a new session with these ids, and returns its handle. */
export async function createSession(store: StoreEngine, ...given: Parameters<typeof draft>): Promise<string> {
  const session = draft(...given);
  assert.deepEqual(await store.create(session, given[1] ?? Date.now()), { outcome: "created" });
  return session.handle;
}

/** Associates ids with a session of generation 0. */
export async function associate(store: StoreEngine, handle: string, given: Partial<Identity>): Promise<void> {
  const request = { handle, generation: 0, ids: ids(given), scope: "everyone", now: Date.now() } as const;
  assert.equal((await store.associate(request)).outcome, "associated");
}
