import { associate } from "../../../session/association.ts";
import { idFields } from "../../../session/fields.ts";
import { purgeAfter } from "../../../session/retention.ts";
import type { Session } from "../../../session/session.ts";
import { noTraits } from "../../../session/traits.ts";
import type { AssociationRequest, AssociationResult } from "../../ports/sessions.ts";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import { indexHashes } from "../index/index-entry.ts";
import { encodeFirstIds } from "../layout/note-codec.ts";
import { decode, encode, implicitSession } from "../layout/session-codec.ts";
import { type Script, scripts } from "../scripts/scripts.ts";
import { encodeScope, sessionArgs, sessionKeys } from "./session-scripts.ts";
import { FENCE_LIFE, type WriteResult } from "./visit-claim.ts";
import { newClaim, obtainVisit } from "./visits.ts";

/** The result of one attempt to associate ids. After `fenced` and `unclaimed`, another attempt is needed. */
type Attempt =
  | Extract<AssociationResult, { outcome: "associated" }>
  /** The request was refused. `hasVisit`: the session has the visit nevertheless, because another attempt wrote it. */
  | {
      readonly outcome: "refused";
      readonly hasVisit: boolean;
      readonly result: AssociationResult;
    }
  | { readonly outcome: "fenced" }
  /** The visit must be claimed before the next attempt. Nothing was changed. */
  | { readonly outcome: "unclaimed" };

/** The session that a script stores if nothing is stored of it yet, with the note of this change. */
interface FirstIds {
  readonly session: Session;
  readonly note: string;
}

/** A request to associate ids, possibly with a rotation of the session's id. */
export interface Association extends Pick<AssociationRequest, "handle" | "generation" | "ids" | "traits" | "scope"> {
  /** The nonce of the rotation, by which a repetition of it is recognized; `""` if the id is not rotated. */
  readonly rotation: string;
}

/**
 * Associates ids with a session. Without a visit, one script does everything. If one server holds all keys, it also
 * claims the visit, unless another session has claimed it. In a cluster, the visit is claimed first.
 *
 * Every attempt names the generation that the session must have. So only the first one that rotates the id can do so,
 * and the others find their nonce in the session.
 */
export async function associateIds(operation: Operation, request: Association): Promise<AssociationResult> {
  const { handle, ids } = request;
  const { visitId } = ids;
  await operation.engine.renewals.of(handle);
  if (visitId === null) return resultOf(await attempt(operation, request, ""));
  if (operation.engine.connection.isOneServer) {
    const first = await attemptCombined(operation, request, visitId);
    if (first.outcome !== "unclaimed") return resultOf(first);
  }
  let last: Attempt | undefined;
  const isObtained = await obtainVisit(operation, handle, visitId, async (nonce) => {
    last = await attempt(operation, request, nonce);
    return writeResultOf(last);
  });
  // Another session holds the visit. But if the session would be refused anyway, that is the result.
  if (!isObtained) last = await attempt(operation, request, "");
  return last?.outcome === "unclaimed" ? { outcome: "conflict", field: "visitId" } : resultOf(last as Attempt);
}

/** Makes one attempt. `nonce` is that of the claim, or `""` without a claim. */
async function attempt(operation: Operation, request: Association, nonce: string): Promise<Attempt> {
  const { handle } = request;
  const { keys, engine } = operation;
  const own = [keys.fence(handle, nonce), keys.setAside(handle), engine.queueOf(handle)];
  const names = [...sessionKeys(operation, handle), ...own];
  // Without a claim, a visit must not be stored.
  const first = nonce === "" && request.ids.visitId !== null ? undefined : firstAssociation(operation, request);
  const args = argsOf(operation, request, [nonce, FENCE_LIFE, ...argsOfFirst(operation, first)]);
  return attemptIn(operation, handle, await run(operation, scripts.associateIds, handle, names, args), first);
}

/** Claims the visit and associates the ids in one script. */
async function attemptCombined(operation: Operation, request: Association, visitId: string) {
  const { handle } = request;
  const { keys, engine } = operation;
  const claim = newClaim(operation, handle, visitId);
  const own = [...claim.names, keys.setAside(handle), engine.queueOf(handle)];
  const names = [...sessionKeys(operation, handle), ...own];
  const first = firstAssociation(operation, request);
  const args = argsOf(operation, request, [...claim.args, ...argsOfFirst(operation, first)]);
  return attemptIn(operation, handle, await run(operation, scripts.associateIdsCombined, handle, names, args), first);
}

/** Runs a script. If the session has data, runs it again with their key: most sessions have none, and save the key. */
async function run(operation: Operation, script: Script, handle: string, names: string[], args: Argument[]) {
  const reply = await operation.change(script, names, args);
  if ((reply as readonly unknown[])[0] !== "data") return reply;
  const withData = names.toSpliced(-1, 0, operation.keys.data(handle));
  return operation.change({ ...script, keys: withData.length }, withData, args);
}

/**
 * Returns the session that results if nothing is stored of it yet. Returns `undefined` if it would be refused then, or if
 * its id is to be rotated, so that the script must apply the rules. Most sessions get their first ids so, and applying
 * the rules takes Redis twice as long.
 */
function firstAssociation(operation: Operation, request: Association): FirstIds | undefined {
  const { handle, generation, ids, traits, rotation } = request;
  const { now } = operation;
  const { policy, publishes } = operation.engine;
  const { lifetimes } = policy;
  if (generation > 0 || rotation !== "" || idFields.every((field) => ids[field] === null)) return undefined;
  const implicit = implicitSession(handle, lifetimes);
  const expiredAt = implicit.expiresAt;
  if (now >= expiredAt) return undefined;
  const result = associate(implicit, ids, now, lifetimes, false, traits);
  if (result.outcome !== "changed") return undefined;
  const { session } = result;
  const hashes = indexHashes(ids).replaceAll(" ", "");
  return { session, note: encodeFirstIds(session, { hashes, now, expiredAt, isPublished: publishes }) };
}

/** Returns the arguments of `prelude/first-association.lua`. */
function argsOfFirst({ engine, now }: Operation, first: FirstIds | undefined): Argument[] {
  if (first === undefined) return ["", "", ""];
  const { session, note } = first;
  const fields = idFields.filter((field) => session[field] !== null);
  const life = Math.max(1, purgeAfter(session, false, engine.policy) - now);
  const text = encode(session, [{ at: now, after: 0, fields, isRotation: false }]);
  return [text, life, note];
}

/** Returns the arguments of `prelude/session.lua` and `prelude/association.lua` around those of the script itself. */
function argsOf(operation: Operation, request: Association, own: readonly Argument[]): Argument[] {
  const { handle, generation, ids, traits = noTraits, scope, rotation } = request;
  const given = [...idFields.map((field) => ids[field]), traits.profile, traits.label].map((text) => text ?? "");
  return [
    ...sessionArgs(operation, handle),
    encodeScope(scope),
    generation,
    rotation,
    indexHashes(ids),
    ...own,
    ...given,
  ];
}

/** Returns the result of a script. `first` is what the script has stored if nothing was stored before. */
function attemptIn({ engine }: Operation, handle: string, reply: unknown, first: FirstIds | undefined): Attempt {
  const [outcome, detail, more] = reply as [string, string | number | null, string | number | null];
  switch (outcome) {
    case "first": {
      const { session, note } = first as FirstIds;
      engine.notes.add({ queue: engine.queueOf(handle), id: String(detail), text: note });
      return { outcome: "associated", session };
    }
    case "associated": {
      engine.notes.take(engine.queueOf(handle), more);
      // The script returns no text if there was nothing to add and nothing is stored: the session is implicit.
      const isStored = typeof detail === "string";
      return { outcome, session: isStored ? decode(handle, detail) : implicitSession(handle, engine.policy.lifetimes) };
    }
    case "conflict": {
      const field = idFields[Number(more)] ?? "visitId";
      return { outcome: "refused", hasVisit: detail === 1, result: { outcome, field } };
    }
    case "absent":
    case "rotation-limit":
      return { outcome: "refused", hasVisit: detail === 1, result: { outcome } };
    case "unclaimed":
    case "fenced":
      return { outcome };
    default:
      throw new Error("a script returned an unknown outcome");
  }
}

function resultOf(result: Attempt): AssociationResult {
  return result.outcome === "refused" ? result.result : (result as AssociationResult);
}

function writeResultOf(result: Attempt): WriteResult {
  if (result.outcome === "associated") return "done";
  if (result.outcome !== "refused") return "fenced";
  return result.hasVisit ? "refused-holding" : "refused";
}
