import { timeAndCount } from "../../../session/id.ts";
import { mayHaveSetAside } from "../../../session/provisional.ts";
import { purgeAfter } from "../../../session/retention.ts";
import { noIdentity, type Session } from "../../../session/session.ts";
import type { CreateResult, EndRequest } from "../../ports/sessions.ts";
import type { Engine, Operation } from "../engine.ts";
import { givenHashes } from "../index/index-entry.ts";
import { removeFromIndexes } from "../index/index-writer.ts";
import { newNonce } from "../layout/nonce.ts";
import { encodeCreation, numberOfEndReason } from "../layout/note-codec.ts";
import { decode, decodeIds, decodeWithHistory, encode, isMarkedExpired } from "../layout/session-codec.ts";
import { hasRecord } from "../records/set-aside.ts";
import { scripts } from "../scripts/scripts.ts";
import type { Draft } from "./session-batch.ts";
import { encodeScope, sessionArgs, sessionKeys } from "./session-scripts.ts";
import { FENCE_LIFE } from "./visit-claim.ts";
import { extendClaim, obtainVisit, releaseVisit } from "./visits.ts";

/** Minimum lifetime (ms) of a tombstone. Until it expires, records that arrive for the erased session are dropped. */
const TOMBSTONE_LIFE = 60 * 60 * 1000;

/** Returns the stored session, or the implicit session of the handle if nothing is stored. */
export async function find(operation: Operation, handle: string): Promise<Session> {
  return (await findWith(operation, handle)).session;
}

/** Returns whether nothing is stored of a session whose data may have been lost (`globals/shard-losses.ts`). */
export function isLost(operation: Operation, handle: string): false | Promise<boolean> {
  if (!operation.engine.losses.mayInclude(handle)) return false;
  return operation.command("exists", operation.keys.session(handle)).then((count) => count === 0);
}

/** Does the same as `find`, and reads another key of the session's shard at the same moment. */
export async function findWith(operation: Operation, handle: string, other?: string) {
  const { engine } = operation;
  const renewal = engine.renewals.of(handle);
  if (renewal !== undefined) await renewal;
  const { keys } = engine;
  const name = keys.session(handle);
  const isYoung = mayHaveSetAside(timeAndCount(handle).createdAt, operation.now);
  if (!isYoung && other === undefined) {
    return { session: sessionIn(operation, handle, await operation.command("get", name)), more: undefined };
  }
  const names = [...(isYoung ? [keys.setAside(handle)] : []), ...(other === undefined ? [] : [other])];
  const [text, ...rest] = (await operation.command("mget", name, ...names)) as unknown[];
  const session = sessionIn(operation, handle, text);
  if (isYoung && hasRecord(rest.shift())) engine.setAside.add(session);
  return { session, more: rest[0] };
}

/** Returns the session in its stored text, or the implicit session if it is no text or the retention is over. */
export function sessionIn(operation: Operation, handle: string, text: unknown): Session {
  if (typeof text === "string") {
    const session = decode(handle, text);
    if (isRetained(operation, session)) return isMarkedExpired(text) ? expiredBy(operation.now, session) : session;
  }
  // The session is not stored, or its retention is over.
  return operation.engine.implicitSession(handle);
}

/** Returns the session as it is for a process whose clock is slower than that of the one that has marked it as expired. */
function expiredBy(now: number, session: Session): Session {
  return session.expiresAt > now ? { ...session, expiresAt: now } : session;
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
  const { handle, visitId } = session;
  const { keys, engine } = operation;
  const claim = visitId === null ? null : keys.visit(visitId);
  const draft: Draft = {
    handle,
    claim,
    text: encode(session),
    life: Math.max(1, purgeAfter(session, false, engine.policy) - operation.now),
    note: encodeCreation(session, givenHashes(session), engine.publishes),
  };
  if (engine.connection.isOneServer || claim === null || keys.isInShardOf(claim, handle)) {
    const outcome = await engine.creations.store(operation, draft);
    if (outcome !== "claimed") return { outcome: outcome === "stored" ? "created" : "id-taken" };
  }
  return createWithVisit(operation, draft, visitId as string);
}

/** Stores a session. `nonce` is that of the claim of its visit. */
async function write(operation: Operation, { handle, text, life, note }: Draft, nonce: string) {
  const { keys, engine } = operation;
  const names = [keys.session(handle), keys.fence(handle, nonce), engine.queueOf(handle)];
  const args = [text, life, FENCE_LIFE, note];
  return outcomeOf(operation, handle, note, await operation.change(scripts.createSession, names, args));
}

/** Returns the outcome of the script that stores a session. It has returned the outcome, or the id of the note. */
function outcomeOf({ engine }: Operation, handle: string, text: string, reply: unknown) {
  const outcome = reply as "created" | "id-taken" | "fenced" | `${number}-${number}`;
  const queue = engine.queueOf(handle);
  switch (outcome) {
    case "created":
      // The session was stored before, so its note is in the queue.
      engine.notes.touch(queue);
      return outcome;
    case "id-taken":
    case "fenced":
      return outcome;
    default:
      engine.notes.add({ queue, id: outcome, texts: [text] });
      return "created";
  }
}

/**
 * Obtains the visit and stores the session, in several steps: another session has claimed the visit, or the claim is in
 * another slot.
 */
async function createWithVisit(operation: Operation, draft: Draft, visitId: string): Promise<CreateResult> {
  let outcome: CreateResult["outcome"] = "created";
  const isObtained = await obtainVisit(operation, draft.handle, visitId, async (nonce) => {
    const reply = await write(operation, draft, nonce);
    outcome = reply === "id-taken" ? "id-taken" : "created";
    return reply === "created" ? "done" : reply === "fenced" ? "fenced" : "refused";
  });
  return isObtained ? { outcome } : { outcome: "conflict", field: "visitId" };
}

/** Starts to store a renewal at `now`. If that fails, the next use of the session finds it unchanged and renews it. */
export function renew(engine: Engine, session: Session, now: number): void {
  const store = () => engine.change(now, (operation) => storeRenewal(operation, session));
  engine.renewals.add(session.handle, () => store().catch(() => undefined));
}

async function storeRenewal(operation: Operation, session: Session): Promise<void> {
  const { handle, visitId } = session;
  const queue = operation.engine.queueOf(handle);
  const names = [...sessionKeys(operation, handle), operation.keys.data(handle), queue];
  const args = sessionArgs(operation, handle);
  const [reply] = await Promise.all([
    operation.change(scripts.renewSession, names, args),
    visitId === null ? undefined : extendClaim(operation, visitId),
  ]);
  operation.engine.notes.take(queue, reply);
}

/** Ends a session. Returns false if the session is not live, not in the scope, or has another generation. */
export async function end(operation: Operation, request: EndRequest): Promise<boolean> {
  const { handle, generation, scope, reason = "caller" } = request;
  await operation.engine.renewals.of(handle);
  const queue = operation.engine.queueOf(handle);
  const names = [
    ...sessionKeys(operation, handle),
    operation.keys.setAside(handle),
    operation.keys.data(handle),
    queue,
  ];
  const facts = sessionArgs(operation, handle);
  const forEvent = operation.engine.publishes ? [numberOfEndReason(reason)] : [];
  const args = [...facts, newNonce(), encodeScope(scope), generation ?? "", ...forEvent];
  const reply = await operation.change(scripts.endSession, names, args);
  const [wasLive, visitId, note] = reply as [number, string?, string?];
  operation.engine.notes.take(queue, note);
  // If the command was sent twice, the note is in the queue.
  if (wasLive === 1) operation.engine.notes.touch(queue);
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
  const names = [...sessionKeys(operation, handle), operation.keys.data(handle)];
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
