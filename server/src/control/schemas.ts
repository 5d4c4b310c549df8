import type { LifeEntry, RequestEntry, Timeline } from "@antechamber/client/protocol";
import { z } from "zod";
import type { ApiKeyInfo, ApiKeyRequest } from "../services/credentials.ts";
import { idFields } from "../session/fields.ts";
import type { SessionFilter } from "../session/filter.ts";
import { roles } from "../session/permissions.ts";
import type { Session } from "../session/session.ts";
import type { AuditEntry } from "../store/audit-chain.ts";
import type { TransferItem } from "../store/ports/transfer.ts";

/*
 * Schemas of the JSON values that the control socket carries. The compiler checks each schema against the type that the
 * services use, so a field that is added to the type must be added here too.
 */

const text = z.string();
const number = z.number();
const role = z.enum(roles);

/** Returns an object that uses the same schema for each of the named fields. */
function fields<Schema, Name extends string>(schema: Schema, ...names: readonly Name[]) {
  return Object.fromEntries(names.map((name) => [name, schema])) as Record<Name, Schema>;
}

const identity = fields(text.nullable(), ...idFields);

const session = z.object({
  ...identity,
  ...fields(number, "generation", "createdAt", "lastActiveAt", "expiresAt"),
  ...fields(text.nullable(), "profile", "label"),
  handle: text,
  ended: z.boolean(),
}) satisfies z.ZodType<Session>;

export const sessionView = z.object({ session, status: z.enum(["live", "expired", "ended"]) });

const entry = { ...identity, state: z.enum(["anonymous", "recognized"]) };

const requestEntry = z.object({
  type: z.literal("request"),
  sequence: number,
  ...fields(text, "method", "path", "startedAt"),
  ...fields(number.nullable(), "status", "durationMs"),
  service: text.nullable(),
  attributes: z.record(text, text),
  ...entry,
}) satisfies z.ZodType<RequestEntry>;

const lifeEntry = z.object({
  type: z.enum(["created", "associated", "rotated", "ended", "expired"]),
  sequence: z.null(),
  at: text,
  ids: z.object(fields(text.exactOptional(), ...idFields)),
  ...entry,
}) satisfies z.ZodType<LifeEntry>;

/** A page of a session's timeline, as the API shows it. */
export const timeline = z.object({
  handle: text,
  records: z.array(z.union([requestEntry, lifeEntry])).readonly(),
  next: text.nullable(),
  ...fields(number, "total", "dropped"),
}) satisfies z.ZodType<Timeline>;

export const sessionFilter = z.object({
  ...identity,
  ...fields(text.nullable(), "handle", "label"),
  ...fields(number.nullable(), "since", "until", "activeSince"),
  state: z.enum(["anonymous", "recognized"]).nullable(),
  live: z.boolean().nullable(),
}) satisfies z.ZodType<SessionFilter>;

const keyHolder = { role, ...fields(text.nullable(), "customerId", "agentId") };

export const apiKeyRequest = z.object({
  ...keyHolder,
  name: text.nullable(),
  validFor: number.nullable(),
}) satisfies z.ZodType<ApiKeyRequest>;

export const apiKeyInfo = z.object({
  ...keyHolder,
  ...fields(number.nullable(), "expiresAt", "revokedAt", "lastUsedAt"),
  id: text,
  createdAt: number,
  ...fields(text.nullable(), "name", "successorId"),
}) satisfies z.ZodType<ApiKeyInfo>;

export const createdApiKey = z.object({ key: text, info: apiKeyInfo });

export const rotationResult = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("rotated"), made: createdApiKey, replaced: apiKeyInfo }),
  z.object({ outcome: z.literal("rotated-before"), successor: text }),
  z.object({ outcome: z.literal("not-found") }),
]);

export const auditDetails = z.record(text, z.union([text, number, z.boolean(), z.null()]));

/** The fields have the same order as in a stored entry; `audit list --json` prints them in this order. */
export const auditEntry = z.object({
  ...fields(number, "sequence", "at"),
  who: z.object({ role, ...fields(text.nullable(), "credential", "keyName", "agentId") }),
  ...fields(text, "what", "from"),
  outcome: z.enum(["begun", "done", "refused", "failed"]),
  details: auditDetails,
  ...fields(text, "previous", "hash"),
}) satisfies z.ZodType<AuditEntry>;

/** Only the `kind` is checked: there may be many items, and `migrate` later compares the copy with the source. */
const transferItem = z.custom<TransferItem>((item) => typeof item === "object" && item !== null && "kind" in item);

export const exportPage = z.object({
  items: z.array(transferItem),
  next: text.nullable(),
  progress: number,
});

/** The reason `unavailable`, the only one that a store gives an operator. Other failures have just a message. */
const unavailable = z.object({
  code: z.literal("unavailable"),
  retryAfterSeconds: number,
  outcome: z.literal("unknown").exactOptional(),
  why: z.enum(["data-displaced", "index-repair"]).exactOptional(),
});

/** The body of a response to an operation that failed. */
export const failure = z.object({
  error: z.object({ message: text, reason: unavailable.optional().catch(undefined) }),
});
