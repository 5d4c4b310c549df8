import { idFields } from "../../../session/fields.ts";
import type { Session } from "../../../session/session.ts";
import type { AssociationRequest, AssociationResult } from "../../ports/sessions.ts";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import { addToIndexes, indexEntriesFor } from "../index/session-index.ts";
import { decode, implicitSession } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { encodeScope, sessionArgs, sessionKeys } from "./session-scripts.ts";
import { FENCE_LIFE, type WriteResult } from "./visit-claim.ts";
import { newClaim, obtainVisit } from "./visits.ts";

/** The result of one attempt. All but the first two need another attempt. */
type Attempt =
  | Extract<AssociationResult, { outcome: "associated" }>
  /** `hasVisit`: the session has the visit all the same, by another attempt. */
  | {
      readonly outcome: "refused";
      readonly hasVisit: boolean;
      readonly result: AssociationResult;
    }
  | { readonly outcome: "fenced" }
  /** Index entries or a claim are needed first; `stored` is the session without the ids. */
  | { readonly outcome: "unprepared"; readonly stored: Session | null };

/**
 * Associates ids. One server does it in one script, unless another session has claimed the visit. A cluster first
 * tries without preparation, as most associations repeat stored ids; a new id takes two more round trips, one for the
 * index entries and the claim, one for the session.
 */
export async function associateIds(
  operation: Operation,
  request: AssociationRequest,
): Promise<AssociationResult> {
  await operation.engine.renewals.of(request.id);
  const first = operation.engine.connection.isOneServer
    ? await attemptCombined(operation, request)
    : await attempt(operation, request, "", false);
  if (first.outcome !== "unprepared") return resultOf(first);
  const { id, ids } = request;
  const { stored } = first;
  const added = idFields.filter((field) => ids[field] !== null && stored?.[field] == null);
  // The claim adds the index entry of the visit.
  const others = added.filter((field) => field !== "visitId");
  const entries = Object.fromEntries(others.map((field) => [field, ids[field]]));
  const indexed = addToIndexes(operation, id, entries, stored === null);
  const visitId = added.includes("visitId") ? ids.visitId : null;
  if (visitId === null) {
    await indexed;
    return resultOf(await attempt(operation, request, "", true));
  }
  let last: Attempt | undefined;
  const written = obtainVisit(operation, id, visitId, async (nonce) => {
    await indexed;
    last = await attempt(operation, request, nonce, true);
    return writeResultOf(last);
  });
  const [isObtained] = await Promise.all([written, indexed]);
  if (isObtained) return resultOf(last as unknown as Attempt);
  return { outcome: "conflict", field: "visitId" };
}

/** Makes one attempt, under the claim with this nonce if any. */
async function attempt(
  operation: Operation,
  request: AssociationRequest,
  nonce: string,
  isPrepared: boolean,
): Promise<Attempt> {
  const { id } = request;
  const names = [...sessionKeys(operation, id), operation.keys.fence(id, nonce)];
  const args = argsOf(operation, request, [nonce, FENCE_LIFE, isPrepared ? 1 : 0]);
  return attemptIn(operation, id, await operation.change(scripts.associateIds, names, args));
}

async function attemptCombined(operation: Operation, request: AssociationRequest) {
  const { id, ids } = request;
  const claim = newClaim(operation, id, ids.visitId);
  const entries = indexEntriesFor(operation, id, ids, true);
  const names = [...sessionKeys(operation, id), ...claim.names, ...entries.names];
  const args = argsOf(operation, request, [...claim.args, ...entries.args]);
  const reply = await operation.change(scripts.associateIdsCombined, names, args);
  return attemptIn(operation, id, reply);
}

/** Returns the arguments of `prelude/session.lua` and `prelude/association.lua` around those of the script itself. */
function argsOf(
  operation: Operation,
  { id, ids, scope }: AssociationRequest,
  own: readonly Argument[],
): Argument[] {
  const given = idFields.map((field) => ids[field] ?? "");
  return [...sessionArgs(operation, id), encodeScope(scope), ...own, ...given];
}

function attemptIn(operation: Operation, id: string, reply: unknown): Attempt {
  const [outcome, detail, which] = reply as [string, string | number | null, number | undefined];
  switch (outcome) {
    case "associated": {
      // Nothing is stored if no ids were given.
      const { lifetimes } = operation.engine.policy;
      const isStored = typeof detail === "string";
      return { outcome, session: isStored ? decode(id, detail) : implicitSession(id, lifetimes) };
    }
    case "conflict": {
      const field = idFields[Number(which)] ?? "visitId";
      return { outcome: "refused", hasVisit: detail === 1, result: { outcome, field } };
    }
    case "absent":
      return { outcome: "refused", hasVisit: detail === 1, result: { outcome } };
    case "unprepared":
      return { outcome, stored: typeof detail === "string" ? decode(id, detail) : null };
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
