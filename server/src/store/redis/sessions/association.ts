import { idFields } from "../../../session/fields.ts";
import type { Session } from "../../../session/session.ts";
import { noTraits } from "../../../session/traits.ts";
import type { AssociationRequest, AssociationResult } from "../../ports/sessions.ts";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import { addToIndexes, indexEntriesFor } from "../index/session-index.ts";
import { decode, implicitSession } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { encodeScope, sessionArgs, sessionKeys } from "./session-scripts.ts";
import { FENCE_LIFE, type WriteResult } from "./visit-claim.ts";
import { newClaim, obtainVisit } from "./visits.ts";

/** The result of one attempt to associate ids. After `fenced` and `unprepared`, another attempt is needed. */
type Attempt =
  | Extract<AssociationResult, { outcome: "associated" }>
  /** The request was refused. `hasVisit`: the session has the visit nevertheless, because another attempt wrote it. */
  | {
      readonly outcome: "refused";
      readonly hasVisit: boolean;
      readonly result: AssociationResult;
    }
  | { readonly outcome: "fenced" }
  /** Index entries must be added, or a visit claimed, before the next attempt. `stored` is the unchanged session. */
  | { readonly outcome: "unprepared"; readonly stored: Session | null };

/** A request to associate ids, possibly with a rotation of the session's id. */
export interface Association extends Pick<AssociationRequest, "handle" | "generation" | "ids" | "traits" | "scope"> {
  /** The nonce of the rotation, by which a repetition of it is recognized; `""` if the id is not rotated. */
  readonly rotation: string;
}

/**
 * Associates ids with a session. If one server holds all keys, one script does everything, unless another session has
 * claimed the visit. In a cluster, the first attempt is made without preparation, because most associations repeat ids
 * that the session already has. New ids and a rotation then need two more round trips: one for the index entries and
 * the claim, one for the session.
 *
 * Every attempt names the generation that the session must have. So only the first one that rotates the id can do so,
 * and the others find their nonce in the session.
 */
export async function associateIds(operation: Operation, request: Association): Promise<AssociationResult> {
  await operation.engine.renewals.of(request.handle);
  const first = operation.engine.connection.isOneServer
    ? await attemptCombined(operation, request)
    : await attempt(operation, request, "", false);
  if (first.outcome !== "unprepared") return resultOf(first);
  const { handle, ids } = request;
  const { stored } = first;
  const added = idFields.filter((field) => ids[field] !== null && stored?.[field] == null);
  // Obtaining the claim also adds the index entry of the visit.
  const others = added.filter((field) => field !== "visitId");
  const entries = Object.fromEntries(others.map((field) => [field, ids[field]]));
  const indexed = addToIndexes(operation, handle, entries, stored === null);
  const visitId = added.includes("visitId") ? ids.visitId : null;
  if (visitId === null) {
    await indexed;
    return resultOf(await attempt(operation, request, "", true));
  }
  let last: Attempt | undefined;
  const written = obtainVisit(operation, handle, visitId, async (nonce) => {
    await indexed;
    last = await attempt(operation, request, nonce, true);
    return writeResultOf(last);
  });
  const [isObtained] = await Promise.all([written, indexed]);
  if (isObtained) return resultOf(last as unknown as Attempt);
  return { outcome: "conflict", field: "visitId" };
}

/**
 * Makes one attempt. `nonce` is that of the claim, or `""` without a claim. `isPrepared`: whether the index entries are
 * added and the visit is claimed.
 */
async function attempt(
  operation: Operation,
  request: Association,
  nonce: string,
  isPrepared: boolean,
): Promise<Attempt> {
  const { handle } = request;
  const { keys } = operation;
  const names = [...sessionKeys(operation, handle), keys.fence(handle, nonce), keys.setAside(handle)];
  const args = argsOf(operation, request, [nonce, FENCE_LIFE, isPrepared ? 1 : 0]);
  return attemptIn(operation, handle, await operation.change(scripts.associateIds, names, args));
}

/** Claims the visit, adds the index entries and associates the ids in one script. */
async function attemptCombined(operation: Operation, request: Association) {
  const { handle, ids } = request;
  const claim = newClaim(operation, handle, ids.visitId);
  const entries = indexEntriesFor(operation, handle, ids, true);
  const names = [...sessionKeys(operation, handle), ...claim.names, ...entries.names, operation.keys.setAside(handle)];
  const args = argsOf(operation, request, [...claim.args, ...entries.args]);
  const reply = await operation.change(scripts.associateIdsCombined, names, args);
  return attemptIn(operation, handle, reply);
}

/** Returns the arguments of `prelude/session.lua` and `prelude/association.lua` around those of the script itself. */
function argsOf(operation: Operation, request: Association, own: readonly Argument[]): Argument[] {
  const { handle, generation, ids, traits = noTraits, scope, rotation } = request;
  const given = [...idFields.map((field) => ids[field]), traits.profile, traits.label].map((text) => text ?? "");
  return [...sessionArgs(operation, handle), encodeScope(scope), generation, rotation, ...own, ...given];
}

function attemptIn(operation: Operation, handle: string, reply: unknown): Attempt {
  const [outcome, detail, which] = reply as [string, string | number | null, number | undefined];
  switch (outcome) {
    case "associated": {
      // The script returns no text if there was nothing to add and nothing is stored: the session is implicit.
      const { lifetimes } = operation.engine.policy;
      const isStored = typeof detail === "string";
      return { outcome, session: isStored ? decode(handle, detail) : implicitSession(handle, lifetimes) };
    }
    case "conflict": {
      const field = idFields[Number(which)] ?? "visitId";
      return { outcome: "refused", hasVisit: detail === 1, result: { outcome, field } };
    }
    case "absent":
    case "rotation-limit":
      return { outcome: "refused", hasVisit: detail === 1, result: { outcome } };
    case "unprepared":
      return { outcome, stored: typeof detail === "string" ? decode(handle, detail) : null };
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
