import { hash } from "node:crypto";
import { type IdField, idFieldTable } from "../../../session/fields.ts";

/*
 * Names of all keys; DESIGN.md shows an example of each value. Braces choose the slot in a cluster: session, records
 * and fences of one session share a slot, so that one script can change them. Names are short, as a billion sessions
 * have a billion of them.
 */

/** Number of shards of the index of all sessions, so that it is spread over all primaries. */
export const INDEX_SHARDS = 16;
/** Milliseconds for which new sessions go to the same shard. */
export const SHARD_TIME = 16;
/** Characters that are kept of a hash: 144 bits. */
const HASH_CHARACTERS = 24;

export type KeyNames = ReturnType<typeof createKeyNames>;

/** Creates the names that begin with `prefix`, which has no braces. */
export function createKeyNames(prefix: string) {
  const session = `${prefix}s:{`;
  const records = `${prefix}r:{`;
  return {
    session: (id: string) => `${session}${id}}`,
    records: (id: string) => `${records}${id}}`,
    /** Exists if the attempt to get a visit is fenced. */
    fence: (id: string, nonce: string) => `${prefix}b:{${id}}${nonce}`,
    /** Claim of a visit. */
    visit: (visitId: string) => `${prefix}v:{${hashOf(visitId)}}`,
    /** Stored response of an idempotency key. */
    response: (key: string) => `${prefix}a:${key}`,
    /** Idempotency keys whose stored responses are about a session. */
    responsesAbout: (id: string) => `${prefix}o:{${id}}`,
    /** Index of the sessions with an id; that of a visit shares the slot of its claim. */
    index: (field: IdField, value: string) =>
      field === "visitId"
        ? `${prefix}x:v:{${hashOf(value)}}`
        : `${prefix}x:${idFieldTable[field].redisIndex}:${hashOf(value)}`,
    /** Shard of the index of all sessions. */
    allSessions: (shard: number) => `${prefix}x:${shard}`,
    /** Bucket of a rate limit. */
    bucket: (name: string) => `${prefix}l:${hashOf(name)}`,
    state: `${prefix}{fixed}state`,
    apiKeys: `${prefix}{fixed}keys`,
    apiKeyUses: `${prefix}{fixed}uses`,
    audit: `${prefix}{fixed}audit`,
    secrets: `${prefix}{fixed}secrets`,
    /** `MATCH` pattern of the keys that are exported one by one: sessions, records, stored responses. */
    exported: `${prefix.replaceAll(/[\\*?[\]]/g, "\\$&")}[sra]:*`,
    /** Parses a name that `exported` matches: `text` is a session id or an idempotency key. */
    parse(name: string): { kind: "session" | "records" | "response"; text: string } {
      if (name.startsWith(session)) {
        return { kind: "session", text: name.slice(session.length, -1) };
      }
      return name.startsWith(records)
        ? { kind: "records", text: name.slice(records.length, -1) }
        : { kind: "response", text: name.slice(prefix.length + 2) };
    },
  };
}

function hashOf(id: string): string {
  return hash("sha256", id, "base64url").slice(0, HASH_CHARACTERS);
}
