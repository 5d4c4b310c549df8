import { associate } from "../../../session/association.ts";
import { idFields } from "../../../session/fields.ts";
import { timeAndCount } from "../../../session/id.ts";
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
import type { Draft } from "./session-batch.ts";
import { encodeScope, sessionKeys } from "./session-scripts.ts";
import { FENCE_LIFE, type WriteResult } from "./visit-claim.ts";
import { obtainVisit } from "./visits.ts";

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

/** The session that a script stores if nothing is stored of it yet. */
interface FirstIds {
  readonly session: Session;
  readonly draft: Pick<Draft, "text" | "life" | "note">;
}

/** The draft for a script that must apply the rules. */
const noDraft = { text: "", life: 0, note: "" };

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
  const renewal = operation.engine.renewals.of(handle);
  if (renewal !== undefined) await renewal;
  if (operation.engine.connection.isOneServer) {
    const result = await associateOnOneServer(operation, request);
    if (result.outcome !== "unclaimed") return resultOf(result);
  }
  if (visitId === null) return resultOf(await attempt(operation, request, ""));
  let last: Attempt | undefined;
  const isObtained = await obtainVisit(operation, handle, visitId, async (nonce) => {
    last = await attempt(operation, request, nonce);
    return writeResultOf(last);
  });
  // Another session holds the visit. But if the session would be refused anyway, that is the result.
  if (!isObtained) last = await attempt(operation, request, "");
  return last?.outcome === "unclaimed" ? { outcome: "conflict", field: "visitId" } : resultOf(last as Attempt);
}

/** Associates the ids by one script. If another session has claimed the visit, changes nothing: `unclaimed`. */
async function associateOnOneServer(operation: Operation, request: Association): Promise<Attempt> {
  const { handle, ids } = request;
  const hashes = indexHashes(ids);
  const first = firstAssociation(operation, request, hashes);
  const claim = ids.visitId === null ? null : operation.keys.visit(ids.visitId);
  const draft = { handle, claim, ...(first?.draft ?? noDraft), facts: factLines(operation, request, hashes) };
  const { associations, associationsWithData } = operation.engine;
  let outcome = await associations.store(operation, draft);
  // Most sessions have no data, and save the key.
  if (outcome[0] === "data") outcome = await associationsWithData.store(operation, draft);
  if (outcome === "stored") return { outcome: "associated", session: (first as FirstIds).session };
  if (outcome === "claimed") return { outcome: "unclaimed" };
  return attemptIn(operation, handle, outcome, first);
}

/** Makes one attempt. `nonce` is that of the claim, or `""` without a claim. */
async function attempt(operation: Operation, request: Association, nonce: string): Promise<Attempt> {
  const { handle } = request;
  const { keys, engine } = operation;
  const own = [keys.fence(handle, nonce), keys.setAside(handle), engine.queueOf(handle)];
  const names = [...sessionKeys(operation, handle), ...own];
  const hashes = indexHashes(request.ids);
  // Without a claim, a visit must not be stored.
  const first = nonce === "" && request.ids.visitId !== null ? undefined : firstAssociation(operation, request, hashes);
  const { text, life, note } = first?.draft ?? noDraft;
  const facts = factLines(operation, request, hashes, engine.policyLines);
  const args = [nonce, FENCE_LIFE, text, life, note, facts];
  return attemptIn(operation, handle, await run(operation, scripts.associateIds, handle, names, args), first);
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
 * the rules takes Redis twice as long. `hashes` are those of the ids.
 */
function firstAssociation(operation: Operation, request: Association, hashes: string): FirstIds | undefined {
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
  const added = { hashes: hashes.replaceAll(" ", ""), now, expiredAt, isPublished: publishes };
  const fields = idFields.filter((field) => session[field] !== null);
  const text = encode(session, [{ at: now, after: 0, fields, isRotation: false }]);
  const life = Math.max(1, purgeAfter(session, false, policy) - now);
  return { session, draft: { text, life, note: encodeFirstIds(session, added) } };
}

/**
 * Returns the arguments of `scripts/prelude/association.lua` as lines. `policy` has the lines of the policy, if the script gets
 * them with each session. Makes no list, as every association has these lines.
 */
function factLines({ now }: Operation, request: Association, hashes: string, policy = ""): string {
  const { handle, generation, scope, rotation, ids, traits = noTraits } = request;
  let lines = `${now}\n${timeAndCount(handle).createdAt}\n${policy}${encodeScope(scope)}\n${generation}\n${rotation}\n${hashes}`;
  for (const field of idFields) lines += `\n${ids[field] ?? ""}`;
  return `${lines}\n${traits.profile ?? ""}\n${traits.label ?? ""}`;
}

/** Returns the result of a script. `first` is what the script has stored if nothing was stored before. */
function attemptIn({ engine }: Operation, handle: string, reply: unknown, first: FirstIds | undefined): Attempt {
  const [outcome, detail, more] = reply as [string, string | number | null, string | number | null];
  switch (outcome) {
    case "first": {
      const { session, draft } = first as FirstIds;
      engine.notes.add({ queue: engine.queueOf(handle), id: String(detail), texts: [draft.note] });
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
