import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type IdField, idFields, idFieldTable } from "../../../session/fields.ts";
import { MAX_GENERATION } from "../../../session/id.ts";
import { MAX_SET_ASIDE_AGE_MS } from "../../../session/provisional.ts";
import { bitsOf } from "../../event-bits.ts";
import { GENERATION_LINE, HISTORY_LINE, LABEL_LINE, PROFILE_LINE } from "../layout/session-codec.ts";

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
 * history, as `session/fields.ts`, `layout/session-codec.ts` and `event-bits.ts` define them; the age (ms) of
 * `session/provisional.ts`.
 */
function declare(): string {
  const line = (field: IdField) => idFieldTable[field].redisLine + 1;
  const lines = idFields.map(line);
  return `
local ID_LINES, ID_BITS = { ${lines.join()} }, { ${idFields.map((field) => idFieldTable[field].bit).join()} }
local AGENT, CUSTOMER, VISIT = ${line("agentId")}, ${line("customerId")}, ${line("visitId")}
local HISTORY, GENERATION = ${HISTORY_LINE + 1}, ${GENERATION_LINE + 1}
local PROFILE, LABEL = ${PROFILE_LINE + 1}, ${LABEL_LINE + 1}
local LAST_LINE = ${Math.max(HISTORY_LINE + 1, ...lines)}
local ROTATION_BIT, MAX_GENERATION = ${bitsOf({ fields: [], isRotation: true })}, ${MAX_GENERATION}
local MAX_SET_ASIDE_AGE = ${MAX_SET_ASIDE_AGE_MS}`;
}

/** Joins files of this folder into one script. */
function script(keys: number, ...files: readonly string[]): Script {
  const source = files
    .map((file) => readFileSync(new URL(`./${file}.lua`, import.meta.url), "utf8"))
    .join("\n")
    .replace("-- (scripts.ts inserts the other constants here)", declare);
  return { source, sha: createHash("sha1").update(source).digest("hex"), keys };
}

const session = "prelude/session";
const records = "prelude/records";
const association = "prelude/association";
const index = "prelude/index";
/** Prelude of scripts that use keys of several slots. They run only if one server holds all keys. */
const combined = [index, "prelude/claim-combined"] as const;

/** All scripts. Each file begins with its KEYS, ARGV and return value. Preludes contain code that scripts share. */
export const scripts = {
  createSession: script(2, "create-session"),
  createSessionCombined: script(0, ...combined, "create-session-combined"),
  associateIds: script(4, session, records, association, "associate-ids"),
  associateIdsCombined: script(0, session, records, association, ...combined, "associate-ids-combined"),
  renewSession: script(2, session, "renew-session"),
  endSession: script(3, session, records, "end-session"),
  eraseSession: script(2, session, "erase-session"),

  claimVisit: script(2, index, "claim-visit"),
  examineAttempt: script(3, session, "examine-attempt"),
  releaseVisit: script(1, "release-visit"),
  updateIndex: script(1, index, "update-index"),

  setAside: script(3, session, records, "set-aside"),
  appendRecords: script(3, session, records, "append-records"),
  readRecords: script(3, "read-records"),
  importRecords: script(1, "import-records"),

  reserveRequest: script(1, "reserve-request"),
  settleRequest: script(1, "settle-request"),
  eraseResponse: script(1, "erase-response"),

  initStore: script(2, "init-store"),
  heartbeat: script(4, "heartbeat"),
  restoreState: script(2, "restore-state"),
  restoreApiKeys: script(2, "restore-api-keys"),
  addSecrets: script(2, "add-secrets"),
  addApiKey: script(2, "add-api-key"),
  revokeApiKey: script(2, "revoke-api-key"),
  replaceApiKey: script(2, "replace-api-key"),
  eraseApiKeys: script(3, "erase-api-keys"),
  noteApiKeyUse: script(2, "note-api-key-use"),
  appendAuditEntry: script(1, "append-audit-entry"),

  addToBucket: script(1, "add-to-bucket"),
} as const;
