import { timeAndCount } from "../../../session/id.ts";
import { mayHaveSetAside } from "../../../session/provisional.ts";
import { purgeAfter } from "../../../session/retention.ts";
import { hasNoIds, noIdentity, type Session } from "../../../session/session.ts";
import type { CreateResult, EndRequest } from "../../ports/sessions.ts";
import type { Engine, Operation } from "../engine.ts";
import { addToIndexes, indexEntriesFor, removeFromIndexes } from "../index/session-index.ts";
import { newNonce } from "../layout/nonce.ts";
import { decode, decodeIds, decodeWithHistory, encode, implicitSession } from "../layout/session-codec.ts";
import { hasRecord } from "../records/set-aside.ts";
import { scripts } from "../scripts/scripts.ts";
import { encodeScope, sessionArgs, sessionKeys } from "./session-scripts.ts";
import { FENCE_LIFE } from "./visit-claim.ts";
import { extendClaim, newClaim, obtainVisit, releaseVisit } from "./visits.ts";

/** Minimum lifetime (ms) of a tombstone. Until it expires, records that arrive for the erased session are dropped. */
const TOMBSTONE_LIFE = 60 * 60 * 1000;

/** Returns the stored session, or the implicit session of the handle if nothing is stored. */
export async function find(operation: Operation, handle: string): Promise<Session> {
  const { engine } = operation;
  const renewal = engine.renewals.of(handle);
  if (renewal !== undefined) await renewal;
  const name = engine.keys.session(handle);
  if (!mayHaveSetAside(timeAndCount(handle).createdAt, operation.now)) {
    return sessionIn(operation, handle, await operation.command("get", name));
  }
  const [text, aside] = (await operation.command("mget", name, engine.keys.setAside(handle))) as unknown[];
  const session = sessionIn(operation, handle, text);
  if (hasRecord(aside)) engine.setAside.add(session);
  return session;
}

function sessionIn(operation: Operation, handle: string, text: unknown): Session {
  if (typeof text === "string") {
    const session = decode(handle, text);
    if (isRetained(operation, session)) return session;
  }
  // The session is not stored, or its retention is over.
  return implicitSession(handle, operation.engine.policy.lifetimes);
}

function isRetained({ engine, now }: Operation, session: Session): boolean {
  return now < purgeAfter(session, true, engine.policy);
}

/**
 * Returns the time (Unix ms) at which the session's id of this generation was replaced by the next one; `undefined` if
 * it was not, or nothing is stored.
 */
export async function rotatedAt(operation: Operation, handle: string, generation: number): Promise<number | undefined> {
  const text = (await operation.command("get", operation.keys.session(handle))) as string | null;
  if (text === null) return undefined;
  const { session, associations } = decodeWithHistory(handle, text);
  if (!isRetained(operation, session)) return undefined;
  return associations.filter(({ isRotation }) => isRotation)[generation]?.at;
}

/** Stores a new session that has ids. */
export async function create(operation: Operation, session: Session): Promise<CreateResult> {
  const text = encode(session);
  const ttl = Math.max(1, purgeAfter(session, false, operation.engine.policy) - operation.now);
  if (operation.engine.connection.isOneServer) {
    const outcome = await createCombined(operation, session, text, ttl);
    if (outcome !== "claimed") return { outcome };
  }
  const { handle, visitId } = session;
  // Obtaining the claim also adds the index entry of the visit.
  const indexed = addToIndexes(operation, handle, { ...session, visitId: null }, true);
  if (visitId !== null) {
    return createWithVisit(operation, session, visitId, text, ttl, indexed);
  }
  await indexed;
  const args = [text, "PX", ttl, "NX", "GET"];
  const stored = await operation.write("set", operation.keys.session(handle), ...args);
  // If the command was sent twice, the second copy of it finds the text that the first one stored.
  return { outcome: stored === null || stored === text ? "created" : "id-taken" };
}

/** Creates a session in one round trip. If another session has the claim, stores nothing and returns `claimed`. */
async function createCombined(operation: Operation, session: Session, text: string, ttl: number) {
  const { handle, visitId } = session;
  const claim = newClaim(operation, handle, visitId);
  const entries = indexEntriesFor(operation, handle, session, true);
  const names = [operation.keys.session(handle), ...claim.names, ...entries.names];
  const args = [text, ttl, ...claim.args, ...entries.args];
  const reply = await operation.change(scripts.createSessionCombined, names, args);
  return reply as "created" | "id-taken" | "claimed";
}

/** Obtains the visit and stores the session. `indexed` is fulfilled when the other index entries are added. */
async function createWithVisit(
  operation: Operation,
  session: Session,
  visitId: string,
  text: string,
  ttl: number,
  indexed: Promise<void>,
): Promise<CreateResult> {
  const { handle } = session;
  let outcome: CreateResult["outcome"] = "created";
  const written = obtainVisit(operation, handle, visitId, async (nonce) => {
    await indexed;
    const names = [operation.keys.session(handle), operation.keys.fence(handle, nonce)];
    const args = [text, ttl, FENCE_LIFE];
    const reply = await operation.change(scripts.createSession, names, args);
    outcome = reply === "id-taken" ? "id-taken" : "created";
    return reply === "created" ? "done" : reply === "fenced" ? "fenced" : "refused";
  });
  const [isObtained] = await Promise.all([written, indexed]);
  if (isObtained) return { outcome };
  await removeFromIndexes(operation, handle, session).catch(() => {
    // The remaining index entries do no harm: readers that follow them find no session.
  });
  return { outcome: "conflict", field: "visitId" };
}

/** Starts to store a renewal at `now`. If that fails, the next use of the session finds it unchanged and renews it. */
export function renew(engine: Engine, session: Session, now: number): void {
  const store = () => engine.change(now, (operation) => storeRenewal(operation, session));
  engine.renewals.add(session.handle, () => store().catch(() => undefined));
}

async function storeRenewal(operation: Operation, session: Session): Promise<void> {
  const { handle, visitId } = session;
  // A session without ids may be implicit, so it may not be in the index of all sessions yet.
  if (hasNoIds(session)) await addToIndexes(operation, handle, noIdentity, true);
  const names = sessionKeys(operation, handle);
  const args = sessionArgs(operation, handle);
  await Promise.all([
    visitId === null ? undefined : extendClaim(operation, visitId),
    operation.change(scripts.renewSession, names, args),
  ]);
}

/** Ends a session. Returns false if the session is not live, not in the scope, or has another generation. */
export async function end(operation: Operation, { handle, generation, scope }: EndRequest): Promise<boolean> {
  await operation.engine.renewals.of(handle);
  const names = [...sessionKeys(operation, handle), operation.keys.setAside(handle)];
  const facts = sessionArgs(operation, handle);
  const args = [...facts, newNonce(), encodeScope(scope), generation ?? ""];
  const reply = await operation.change(scripts.endSession, names, args);
  const [wasLive, visitId] = reply as [number, string | undefined];
  if (wasLive === 1 && visitId !== undefined && visitId !== "") {
    await releaseVisit(operation, handle, visitId).catch(() => {
      // The session has ended although its claim remains. The next contender for the visit replaces that claim.
    });
  }
  return wasLive === 1;
}

/** Erases everything about a session except its stored responses. Idempotent: call again after a failure. */
export async function erase(operation: Operation, handle: string): Promise<void> {
  await operation.engine.renewals.of(handle);
  const names = sessionKeys(operation, handle);
  const facts = sessionArgs(operation, handle);
  const run = (isLastCall: 0 | 1) =>
    operation.change(scripts.eraseSession, names, [...facts, isLastCall, TOMBSTONE_LIFE]);
  // The ids are erased last. If a step before fails, the next call needs them to find the index entries and the claim.
  const text = await run(0);
  const ids = text === "" ? noIdentity : decodeIds(String(text));
  await Promise.all([
    removeFromIndexes(operation, handle, ids),
    ids.visitId === null ? undefined : releaseVisit(operation, handle, ids.visitId),
  ]);
  await run(1);
}
