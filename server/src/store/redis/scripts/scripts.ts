import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type IdField, idFields, idFieldTable } from "../../../session/fields.ts";
import { MAX_GENERATION } from "../../../session/id.ts";
import { MAX_SET_ASIDE_AGE_MS } from "../../../session/provisional.ts";
import { bitsOf } from "../../event-bits.ts";
import { noteBits } from "../layout/note-codec.ts";
import { DATA_LINE, GENERATION_LINE, HISTORY_LINE, LABEL_LINE, PROFILE_LINE } from "../layout/session-codec.ts";

/** A Lua script that Redis runs atomically. */
export interface Script {
  readonly source: string;
  /** SHA-1 of the source, the argument of `EVALSHA`. */
  readonly sha: string;
  /** Number of keys; 0 if the number differs from call to call. */
  readonly keys: number;
}

/**
 * Returns Lua declarations for `prelude/session.lua`: the lines of a session (counted from 1) and the bits of its
 * history and of notes, as `session/fields.ts`, `event-bits.ts` and the codecs in `layout/` define them; the age (ms) of
 * `session/provisional.ts`.
 */
function declare(): string {
  const line = (field: IdField) => idFieldTable[field].redisLine + 1;
  const lines = idFields.map(line);
  return `
local ID_LINES, ID_BITS = { ${lines.join()} }, { ${idFields.map((field) => idFieldTable[field].bit).join()} }
local AGENT, CUSTOMER, VISIT = ${line("agentId")}, ${line("customerId")}, ${line("visitId")}
local HISTORY, GENERATION = ${HISTORY_LINE + 1}, ${GENERATION_LINE + 1}
local PROFILE, LABEL, DATA = ${PROFILE_LINE + 1}, ${LABEL_LINE + 1}, ${DATA_LINE + 1}
local LAST_LINE = ${Math.max(HISTORY_LINE + 1, ...lines)}
local ROTATION_BIT, CREATED_BIT = ${bitsOf({ fields: [], isRotation: true })}, ${noteBits.created}
local PUBLISHED_BIT, EARLIER_BIT = ${noteBits.published}, ${noteBits.earlier}
local ENDED_BIT, EXPIRED_BIT = ${noteBits.ended}, ${noteBits.expired}
local UNPUBLISHED_BIT = ${noteBits.unpublished}
local MAX_GENERATION = ${MAX_GENERATION}
local MAX_SET_ASIDE_AGE = ${MAX_SET_ASIDE_AGE_MS}`;
}

/** Joins files of this folder. */
function join(files: readonly string[]): string {
  return files
    .map((file) => readFileSync(new URL(`./${file}.lua`, import.meta.url), "utf8"))
    .join("\n")
    .replace("-- (scripts.ts inserts the other constants here)", declare);
}

/** Joins files of this folder into one script. */
function script(keys: number, ...files: readonly string[]): Script {
  return scriptOf(keys, join(files));
}

/**
 * Returns the script that stores sessions. The rules are a function with KEYS and ARGV of its own, so their declarations
 * take time only if they are needed.
 */
function storeSessions(): Script {
  const rules = join([session, notes, records, association, "associate-ids-combined"]);
  const body = `local function associateByRules(KEYS, ARGV)\n${rules}\nend\n`;
  return scriptOf(0, `${join(["prelude/only-creation", combined])}\n${body}${join(["store-sessions"])}`);
}

function scriptOf(keys: number, source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex"), keys };
}

const session = "prelude/session";
const records = "prelude/records";
const notes = "prelude/notes";
const association = "prelude/association";
const eventLog = "prelude/event-log";
/** Prelude of scripts that claim visits and write them. They run only if the keys share a slot or a server holds all. */
const combined = "prelude/claim-combined";
const first = "prelude/first-association";

/** All scripts. Each file begins with its KEYS, ARGV and return value. Preludes contain code that scripts share. */
export const scripts = {
  createSession: script(3, "create-session"),
  storeSessions: storeSessions(),
  associateIds: script(5, first, session, notes, records, association, "associate-ids"),
  renewSession: script(4, session, notes, "renew-session"),
  endSession: script(5, session, notes, records, "end-session"),
  eraseSession: script(3, session, "erase-session"),
  changeData: script(5, "prelude/only-data", session, notes, records, "change-data"),

  claimVisit: script(1, "claim-visit"),
  examineAttempt: script(3, session, "examine-attempt"),
  releaseVisit: script(1, "release-visit"),

  addIdEntries: script(2, "add-id-entries"),
  addHandles: script(2, "add-handles"),
  removeEntries: script(0, "remove-entries"),
  findHandles: script(0, "find-handles"),
  pruneIds: script(1, "prune-ids"),
  pruneHandles: script(1, "prune-handles"),
  readNotes: script(1, "read-notes"),
  takeLease: script(1, "take-lease"),
  releaseLease: script(1, "release-lease"),

  appendEvents: script(3, eventLog, "append-events"),
  appendErasure: script(2, eventLog, "append-erasure"),
  readEvents: script(3, "read-events"),
  hideEvents: script(1, "hide-events"),
  trimEvents: script(3, "trim-events"),
  removeHiddenEvents: script(3, "remove-hidden-events"),
  addDue: script(1, "add-due"),
  removeDue: script(1, "remove-due"),
  expireSessions: script(0, session, notes, "expire-sessions"),

  setAside: script(4, session, notes, records, "set-aside"),
  appendRecords: script(4, session, notes, records, "append-records"),
  readRecords: script(3, "read-records"),
  importRecords: script(1, "import-records"),

  reserveRequest: script(1, "reserve-request"),
  settleRequest: script(1, "settle-request"),
  eraseResponse: script(1, "erase-response"),
  addIdempotencyKey: script(1, "add-idempotency-key"),

  initStore: script(2, "init-store"),
  heartbeat: script(4, "heartbeat"),
  restoreState: script(3, "restore-state"),
  restoreApiKeys: script(2, "restore-api-keys"),
  addSecrets: script(2, "add-secrets"),
  addApiKey: script(2, "add-api-key"),
  revokeApiKey: script(2, "revoke-api-key"),
  replaceApiKey: script(2, "replace-api-key"),
  eraseApiKeys: script(3, "erase-api-keys"),
  noteApiKeyUse: script(2, "note-api-key-use"),
  advanceMarker: script(1, "advance-marker"),
  recordLosses: script(3, "record-losses"),
  noteRepair: script(1, "note-repair"),
  addSignOut: script(2, "add-sign-out"),
  appendAuditEntry: script(1, "append-audit-entry"),

  storeStatistics: script(1, "store-statistics"),
  mergeStatistics: script(1, "merge-statistics"),

  addToBucket: script(1, "add-to-bucket"),
} as const;
