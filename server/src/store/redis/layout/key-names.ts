import { hash } from "node:crypto";
import { type IdField, idFieldTable } from "../../../session/fields.ts";

/*
 * The names of all Redis keys. DESIGN.md shows an example of each value. In a cluster, the text in braces chooses the
 * slot. The session, the records, the record that is set aside and the fences of one session share a slot, so one script
 * can change all of them. Names are short to save memory, because every session has at least one key.
 */

/** Number of shards of the index of all sessions. Shards spread this index over the primaries of a cluster. */
export const INDEX_SHARDS = 16;
/** Time (ms) during which all new sessions are added to the same shard. */
export const SHARD_TIME = 16;
/** Number of Base64url characters that are kept of a hash; they encode 108 bits. */
const HASH_CHARACTERS = 18;

export type KeyNames = ReturnType<typeof createKeyNames>;

/** Creates the key names for a `prefix`, which must not contain braces. */
export function createKeyNames(prefix: string) {
  const session = `${prefix}s:{`;
  const records = `${prefix}r:{`;
  return {
    session: (handle: string) => `${session}${handle}}`,
    records: (handle: string) => `${records}${handle}}`,
    /** Record that is set aside, because the visitor has not come back yet. */
    setAside: (handle: string) => `${prefix}p:{${handle}}`,
    /** Exists if this attempt to get a visit is fenced: it may no longer write into the session. */
    fence: (handle: string, nonce: string) => `${prefix}b:{${handle}}${nonce}`,
    visit: (visitId: string) => `${prefix}v:{${hashOf(visitId)}}`,
    /** Stored response of an idempotency key. */
    response: (key: string) => `${prefix}a:${key}`,
    /** Set of the idempotency keys whose requests created or changed a session. */
    responsesAbout: (handle: string) => `${prefix}o:{${handle}}`,
    /** Index of the sessions that have an id. The index of a visit shares the slot of the visit's claim. */
    index: (field: IdField, value: string) =>
      field === "visitId"
        ? `${prefix}x:v:{${hashOf(value)}}`
        : `${prefix}x:${idFieldTable[field].redisIndex}:${hashOf(value)}`,
    /** One shard of the index of all sessions. */
    allSessions: (shard: number) => `${prefix}x:${shard}`,
    bucket: (name: string) => `${prefix}l:${hashOf(name)}`,
    state: `${prefix}{fixed}state`,
    apiKeys: `${prefix}{fixed}keys`,
    apiKeyUses: `${prefix}{fixed}uses`,
    audit: `${prefix}{fixed}audit`,
    secrets: `${prefix}{fixed}secrets`,
    /** `MATCH` pattern of the keys that are exported one by one: sessions, records, stored responses. */
    exported: `${prefix.replaceAll(/[\\*?[\]]/g, "\\$&")}[sra]:*`,
    /** Parses a key name that `exported` matches. `text` is the handle, or the idempotency key of a response. */
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
