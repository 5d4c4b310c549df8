import { hash } from "node:crypto";
import { HANDLE_CHARACTERS } from "../../../session/id.ts";
import { lastByteOf, shardTags, tagOf } from "./shards.ts";

/*
 * The names of all Redis keys. DESIGN.md shows an example of each value. In a cluster, the text in braces chooses the
 * slot. The session, its data, the records, the record that is set aside, the fences and the notes of one session have the tag of
 * its shard, so one script can change all of them. The claim of a visit has the tag of a shard too, in which sessions that
 * are created with the visit are stored. Names are short to save memory, because every session has a key.
 */

/** Number of Base64url characters that are kept of the hash of a visit or a bucket; they encode 108 bits. */
const HASH_CHARACTERS = 18;

export type KeyNames = ReturnType<typeof createKeyNames>;

/** Creates the key names for a `prefix`, which must not contain braces. */
export function createKeyNames(prefix: string) {
  const session = `${prefix}s:{`;
  const records = `${prefix}r:{`;
  const claims = `${prefix}v:{`;
  const claim = (visitHash: string) => `${claims}${tagOf(visitHash)}}${visitHash}`;
  return {
    session: (handle: string) => `${session}${tagOf(handle)}}${handle}`,
    records: (handle: string) => `${records}${tagOf(handle)}}${handle}`,
    data: (handle: string) => `${prefix}d:{${tagOf(handle)}}${handle}`,
    /** Record that is set aside, because the visitor has not come back yet. */
    setAside: (handle: string) => `${prefix}p:{${tagOf(handle)}}${handle}`,
    /** Exists if this attempt to get a visit is fenced: it may no longer write into the session. */
    fence: (handle: string, nonce: string) => `${prefix}b:{${tagOf(handle)}}${handle}${nonce}`,
    /** Queue of the notes of a session's shard. */
    notes: (handle: string) => `${prefix}n:{${tagOf(handle)}}`,
    /** The queues of the notes of all shards. */
    allNotes: shardTags.map((tag) => `${prefix}n:{${tag}}`),
    visit: (visitId: string) => claim(hashOfVisit(visitId)),
    /** Whether a session is in the shard of a claim with this key name. */
    isInShardOf: (claimName: string, handle: string) => claimName.startsWith(tagOf(handle), claims.length),
    /** `MATCH` pattern of the claims that releases with the layout 1 have stored. */
    oldClaims: `${patternOf(prefix)}v:{${"?".repeat(HASH_CHARACTERS)}}`,
    /** Returns the present name of a claim that `oldClaims` matches. */
    claimOfOld: (name: string) => claim(name.slice(claims.length, -1)),
    /** Stored response of an idempotency key. */
    response: (key: string) => `${prefix}a:${key}`,
    /** Set of the idempotency keys whose requests created or changed a session. */
    responsesAbout: (handle: string) => `${prefix}o:{${tagOf(handle)}}${handle}`,
    /** Index of all sessions that were created on a day since 1970 (`index/index-entry.ts`). */
    sessionIndex: (tag: string, day: number) => `${prefix}x:{${tag}}${day}`,
    /** Index of the ids of the sessions that were created on a day. */
    idIndex: (tag: string, day: number) => `${prefix}i:{${tag}}${day}`,
    /** Handles of an id that has too many for the index of ids. */
    overflow: (tag: string, day: number, field: string) => `${prefix}i:{${tag}}${day}:${field}`,
    /** Handles of erased sessions, for which no entries may be added to the indexes of a shard. */
    erased: (tag: string) => `${prefix}e:{${tag}}`,
    bucket: (name: string) => `${prefix}l:${digestOf(name).slice(0, HASH_CHARACTERS)}`,
    /** Marker of a shard (`globals/shard-watch.ts`). */
    marker: (tag: string) => `${prefix}m:{${tag}}`,
    /** Shards that have lost their data (`globals/shard-losses.ts`). */
    losses: `${prefix}{fixed}lost`,
    state: `${prefix}{fixed}state`,
    apiKeys: `${prefix}{fixed}keys`,
    apiKeyUses: `${prefix}{fixed}uses`,
    audit: `${prefix}{fixed}audit`,
    secrets: `${prefix}{fixed}secrets`,
    signOuts: `${prefix}{fixed}sign-outs`,
    /** Nonce of the process that does the work that one process at a time does. */
    lease: `${prefix}{fixed}lease`,
    /** The event log: a stream of entries (`events/event-entries.ts`). */
    events: `${prefix}{fixed}events`,
    /** How far the event log has got. */
    eventState: `${prefix}{fixed}event-state`,
    /** Handles of erased sessions, whose events are hidden. */
    hiddenEvents: `${prefix}{fixed}event-hidden`,
    /** Handles of sessions that may expire in a slot of time (`events/due-lists.ts`). */
    due: (tag: string, slot: number) => `${prefix}q:{${tag}}${slot}`,
    /** Statistics of an hour since 1970 (`statistics/statistics-port.ts`). */
    statistics: (hour: number) => `${prefix}{fixed}statistics:${hour}`,
    /** `MATCH` pattern of the keys by which every stored session is found: sessions, and records of those that have no more. */
    stored: `${patternOf(prefix)}[sr]:*`,
    /** `MATCH` pattern of the keys that are exported one by one: sessions, records, stored responses. */
    exported: `${patternOf(prefix)}[sra]:*`,
    /** Parses a key name that `exported` matches. `text` is the handle, or the idempotency key of a response. */
    parse(name: string): { kind: "session" | "records" | "response"; text: string } {
      if (name.startsWith(session)) return { kind: "session", text: name.slice(-HANDLE_CHARACTERS) };
      return name.startsWith(records)
        ? { kind: "records", text: name.slice(-HANDLE_CHARACTERS) }
        : { kind: "response", text: name.slice(prefix.length + 2) };
    },
  };
}

/** Returns the tag of the shard in a key name. */
export function tagIn(name: string): string {
  const from = name.indexOf("{") + 1;
  return name.slice(from, name.indexOf("}", from));
}

/** Returns the last byte of the handles of sessions that are in the same shard as the claim of this visit. */
export function lastByteForVisit(visitId: string): number {
  return lastByteOf(hashOfVisit(visitId));
}

function hashOfVisit(visitId: string): string {
  return digestOfVisit(visitId).slice(0, HASH_CHARACTERS);
}

let latestVisit = "";
let latestDigest = "";

/** Does the same as `digestOf` for a visit. A change needs the digest for the shard, the claim and the index. */
export function digestOfVisit(visitId: string): string {
  if (visitId !== latestVisit) {
    latestDigest = digestOf(visitId);
    latestVisit = visitId;
  }
  return latestDigest;
}

/** Returns the pattern of Redis that matches only this text. */
function patternOf(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, "\\$&");
}

/** Returns the SHA-256 hash of an id as 43 Base64url characters. */
export function digestOf(id: string): string {
  return hash("sha256", id, "base64url");
}
