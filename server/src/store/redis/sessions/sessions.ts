import type { Scope } from "../../../session/permissions.ts";
import { purgeAfter } from "../../../session/retention.ts";
import { hasNoIds, noIdentity, type Session } from "../../../session/session.ts";
import type { CreateResult } from "../../ports/sessions.ts";
import type { Engine, Operation } from "../engine.ts";
import { addToIndexes, indexEntriesFor, removeFromIndexes } from "../index/session-index.ts";
import { newNonce } from "../layout/nonce.ts";
import { decode, decodeIds, encode, implicitSession } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { encodeScope, sessionArgs, sessionKeys } from "./session-scripts.ts";
import { FENCE_LIFE } from "./visit-claim.ts";
import { extendClaim, newClaim, obtainVisit, releaseVisit } from "./visits.ts";

/** Minimum lifetime (ms) of a tombstone. Records that arrive within it are dropped. */
const TOMBSTONE_LIFE = 60 * 60 * 1000;

/** Returns the stored session, or the implicit session of the id. */
export async function find(operation: Operation, id: string): Promise<Session> {
  const { keys, policy, renewals } = operation.engine;
  const renewal = renewals.of(id);
  if (renewal !== undefined) await renewal;
  const text = await operation.command("get", keys.session(id));
  if (text !== null) {
    const session = decode(id, text as string);
    if (operation.now < purgeAfter(session, true, policy)) return session;
  }
  // Not stored, or to be purged.
  return implicitSession(id, policy.lifetimes);
}

/** Stores a new session that has ids. */
export async function create(operation: Operation, session: Session): Promise<CreateResult> {
  const text = encode(session);
  const ttl = Math.max(1, purgeAfter(session, false, operation.engine.policy) - operation.now);
  if (operation.engine.connection.isOneServer) {
    const outcome = await createCombined(operation, session, text, ttl);
    if (outcome !== "claimed") return { outcome };
  }
  const { id, visitId } = session;
  // The claim adds the index entry of the visit.
  const indexed = addToIndexes(operation, id, { ...session, visitId: null }, true);
  if (visitId !== null) {
    return createWithVisit(operation, session, visitId, text, ttl, indexed);
  }
  await indexed;
  const args = [text, "PX", ttl, "NX", "GET"];
  const stored = await operation.write("set", operation.keys.session(id), ...args);
  // Its own text is stored already if the command was sent twice.
  return { outcome: stored === null || stored === text ? "created" : "id-taken" };
}

/** Creates a session in one round trip. Does nothing if another session has `claimed` the visit. */
async function createCombined(operation: Operation, session: Session, text: string, ttl: number) {
  const { id, visitId } = session;
  const claim = newClaim(operation, id, visitId);
  const entries = indexEntriesFor(operation, id, session, true);
  const names = [operation.keys.session(id), ...claim.names, ...entries.names];
  const args = [text, ttl, ...claim.args, ...entries.args];
  const reply = await operation.change(scripts.createSessionCombined, names, args);
  return reply as "created" | "id-taken" | "claimed";
}

async function createWithVisit(
  operation: Operation,
  session: Session,
  visitId: string,
  text: string,
  ttl: number,
  indexed: Promise<void>,
): Promise<CreateResult> {
  const { id } = session;
  let outcome: CreateResult["outcome"] = "created";
  const written = obtainVisit(operation, id, visitId, async (nonce) => {
    await indexed;
    const names = [operation.keys.session(id), operation.keys.fence(id, nonce)];
    const args = [text, ttl, FENCE_LIFE];
    const reply = await operation.change(scripts.createSession, names, args);
    outcome = reply === "id-taken" ? "id-taken" : "created";
    return reply === "created" ? "done" : reply === "fenced" ? "fenced" : "refused";
  });
  const [isObtained] = await Promise.all([written, indexed]);
  if (isObtained) return { outcome };
  await removeFromIndexes(operation, id, session).catch(() => {
    // Readers of the entry find no session.
  });
  return { outcome: "conflict", field: "visitId" };
}

/** Starts storing a renewal at `now`. If that fails, the next use finds the old session and renews it again. */
export function renew(engine: Engine, session: Session, now: number): void {
  const store = () => engine.change(now, (operation) => storeRenewal(operation, session));
  engine.renewals.add(session.id, () => store().catch(() => undefined));
}

async function storeRenewal(operation: Operation, session: Session): Promise<void> {
  const { id, visitId } = session;
  // It may not be stored yet.
  if (hasNoIds(session)) await addToIndexes(operation, id, noIdentity, true);
  const names = sessionKeys(operation, id);
  const args = sessionArgs(operation, id);
  await Promise.all([
    visitId === null ? undefined : extendClaim(operation, visitId),
    operation.change(scripts.renewSession, names, args),
  ]);
}

/** Ends a session; returns false if no live one is in the scope. */
export async function end(operation: Operation, id: string, scope: Scope): Promise<boolean> {
  await operation.engine.renewals.of(id);
  const names = sessionKeys(operation, id);
  const facts = sessionArgs(operation, id);
  const args = [...facts, newNonce(), encodeScope(scope)];
  const reply = await operation.change(scripts.endSession, names, args);
  const [wasLive, visitId] = reply as [number, string | undefined];
  if (wasLive === 1 && visitId !== undefined && visitId !== "") {
    await releaseVisit(operation, id, visitId).catch(() => {
      // The session has ended all the same. The next contender finds that out.
    });
  }
  return wasLive === 1;
}

/** Erases everything about a session except its stored responses. May be repeated. */
export async function erase(operation: Operation, id: string): Promise<void> {
  await operation.engine.renewals.of(id);
  const names = sessionKeys(operation, id);
  const facts = sessionArgs(operation, id);
  const run = (isLastCall: 0 | 1) =>
    operation.change(scripts.eraseSession, names, [...facts, isLastCall, TOMBSTONE_LIFE]);
  // The ids go last, as a repetition needs them to find the rest.
  const text = await run(0);
  const ids = text === "" ? noIdentity : decodeIds(String(text));
  await Promise.all([
    removeFromIndexes(operation, id, ids),
    ids.visitId === null ? undefined : releaseVisit(operation, id, ids.visitId),
  ]);
  await run(1);
}
