import { hash } from "node:crypto";
import type { IdField } from "../../../session/errors.ts";

/*
 * Every key there is. What stands in braces decides the slot of a cluster: all that is known of one
 * session lies in one slot, so that a script can change it as a whole.
 *
 *   ac:s:{id}        the session (`packed.ts`)                        until nothing is told of it
 *   ac:r:{id}        its records, a stream (`scripts/record.lua`)     as long
 *   ac:b:{id}nonce   an attempt to get a visit that was barred        an hour
 *   ac:v:{hash}      who claims a visit (`visit-claim.ts`)            the longest life and an hour
 *   ac:x:v:{hash}    sessions of the visit, in the same slot          while entries come
 *   ac:a:key         the first answer to a request with a key         a day
 *   ac:o:{id}        keys of such requests about the session          a day
 *   ac:x:number      sessions, a part of all (`indices.ts`)           while entries come
 *   ac:x:c:hash      sessions of a customer; likewise a, g            while entries come
 *   ac:l:hash        what a caller took of a limit (`redis-shares.ts`)  until it has flowed out
 *   ac:{fixed}state  layout, floor, revision, the note of a move, when
 *                    a server last sent a heartbeat                   for good
 *   ac:{fixed}keys   the keys for the mode `key`                      for good
 *   ac:{fixed}uses   when keys were used                              for good
 *   ac:{fixed}secrets  the secrets, newest first                      for good
 *   ac:{fixed}audit  the audit trail                                  for good
 *
 * They are short, as a billion sessions have a billion of them.
 */

/** Into how many parts the index of all sessions is divided, so that it lies on all primaries. */
export const INDEX_SHARDS = 16;
/** For how long (ms) new sessions go to the same part, before they go to the next. */
export const SHARD_TIME = 16;
/** How many characters of an id's hash tell it from others: 144 bits. */
const HASH_CHARACTERS = 24;

/** Names of keys, all of which begin with a prefix. */
export interface Keys {
  session(id: string): string;
  records(id: string): string;
  bar(id: string, nonce: string): string;
  visit(visitId: string): string;
  answer(key: string): string;
  answersAbout(id: string): string;
  /** Sessions that have this id. */
  index(field: IdField, value: string): string;
  /** A part of all sessions. */
  allSessions(shard: number): string;
  /** What was taken from a bucket: buckets lie on all primaries, by their names. */
  bucket(name: string): string;
  readonly state: string;
  readonly keys: string;
  readonly uses: string;
  readonly audit: string;
  readonly secrets: string;
  /** The pattern of all that moves to another store one by one: sessions, records, answers. */
  readonly moving: string;
  /** What a name of that pattern stands for. */
  parse(name: string): { readonly kind: "session" | "records" | "answer"; readonly text: string };
}

/** The names below `prefix`, which has no braces. */
export function createKeys(prefix: string): Keys {
  const session = `${prefix}s:{`;
  const records = `${prefix}r:{`;
  return {
    session: (id) => `${session}${id}}`,
    records: (id) => `${records}${id}}`,
    bar: (id, nonce) => `${prefix}b:{${id}}${nonce}`,
    visit: (visitId) => `${prefix}v:{${hashOf(visitId)}}`,
    answer: (key) => `${prefix}a:${key}`,
    answersAbout: (id) => `${prefix}o:{${id}}`,
    index: (field, value) =>
      field === "visitId"
        ? `${prefix}x:v:{${hashOf(value)}}`
        : `${prefix}x:${field[0]}:${hashOf(value)}`,
    allSessions: (shard) => `${prefix}x:${shard}`,
    bucket: (name) => `${prefix}l:${hashOf(name)}`,
    state: `${prefix}{fixed}state`,
    keys: `${prefix}{fixed}keys`,
    uses: `${prefix}{fixed}uses`,
    audit: `${prefix}{fixed}audit`,
    secrets: `${prefix}{fixed}secrets`,
    moving: `${prefix.replaceAll(/[\\*?[\]]/g, "\\$&")}[sra]:*`,
    parse(name) {
      if (name.startsWith(session))
        return { kind: "session", text: name.slice(session.length, -1) };
      return name.startsWith(records)
        ? { kind: "records", text: name.slice(records.length, -1) }
        : { kind: "answer", text: name.slice(prefix.length + 2) };
    },
  };
}

function hashOf(id: string): string {
  return hash("sha256", id, "base64url").slice(0, HASH_CHARACTERS);
}
