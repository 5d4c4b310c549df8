import { isMatch, isUnconditional, type SessionFilter } from "../../../session/filter.ts";
import { placeOf, SESSION_ID_CHARACTERS, timeAndCount } from "../../../session/id.ts";
import { type KeepingTimes, keptUntil } from "../../../session/kept.ts";
import {
  type Identity,
  idFields,
  isBlank,
  isLive,
  type Session,
} from "../../../session/session.ts";
import { type ListRequest, MAX_COUNTED, type SessionPage } from "../../store.ts";
import type { Connection, Operation, Word } from "../connection/connection.ts";
import { INDEX_SHARDS, type Keys, SHARD_TIME } from "../layout/key-names.ts";
import { describedById, unpack } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { createEntering } from "./index-batcher.ts";

/*
 * Sessions by their ids, and all of them: sorted sets of session ids in the order of their bytes, which
 * is that of their creation. An entry is written before its session, in another slot, so an entry may
 * lead nowhere: whoever reads looks at the session. Entries go by themselves once they are older than
 * any session that is kept, with the next that is added or counted; the set goes with its last.
 */

/** How many entries a page looks at, at the most. */
const LOOKED_AT = 1024;

/** Finds sessions. */
export interface Indices {
  /** Enters the session, before it is stored, under `ids`, and among all where `isNew`. */
  enter(operation: Operation, id: string, ids: Partial<Identity>, isNew: boolean): Promise<void>;
  /** The keys of what `enter` does, and what their script is told; for a script that does more. */
  entriesOf(operation: Operation, id: string, ids: Partial<Identity>, isNew: boolean): Entries;
  /** Takes the session out again. */
  leave(operation: Operation, id: string, ids: Identity): Promise<void>;
  list(operation: Operation, request: ListRequest): Promise<SessionPage>;
}

/** Keys of indices, and the words of `scripts/index.lua` that add one entry to any of them. */
export interface Entries {
  readonly names: string[];
  readonly words: Word[];
}

/** Indices of sessions that are kept for `times`. */
export function createIndices(connection: Connection, keys: Keys, times: RetentionPolicy): Indices {
  const { anonymous, recognized } = times.lifetimes;
  /** How long after its creation anything is told of a session, at the most. */
  const longest = Math.max(anonymous.total, recognized.total) + times.retention;

  function namesOf(id: string, ids: Partial<Identity>, isNew: boolean): string[] {
    const names = idFields.flatMap((field) => {
      const value = ids[field];
      return value == null ? [] : [keys.index(field, value)];
    });
    return isNew ? [keys.allSessions(shardOf(id)), ...names] : names;
  }

  let bounds: { readonly now: number; readonly words: readonly Word[] } | undefined;
  /** The words that come before the entries: the same for all that comes at the same time. */
  function boundsAt(now: number): readonly Word[] {
    if (bounds?.now !== now) bounds = { now, words: [prefixAt(now - longest), longest] };
    return bounds.words;
  }
  const enter = createEntering(connection, boundsAt);

  /** Lets go of what is too old; gives how many entries are there. */
  async function counted(operation: Operation, name: string): Promise<number> {
    const words = [...boundsAt(operation.now)];
    return (await connection.run(operation, scripts.updateIndex, [name], words)) as number;
  }

  async function entries(operation: Operation, name: string, range: Range, count: number) {
    const words = [range.before, range.from, "LIMIT", 0, count];
    return (await connection.command(operation, "zrevrangebylex", name, ...words)) as string[];
  }

  /** The newest entries of an index that lie in the range, at most `count`. */
  async function newest(
    operation: Operation,
    names: readonly string[],
    range: Range,
    count: number,
  ): Promise<string[]> {
    const found = await Promise.all(names.map((name) => entries(operation, name, range, count)));
    if (found.length === 1) return found[0] ?? [];
    return found
      .flat()
      .toSorted((a, b) => (a < b ? 1 : -1))
      .slice(0, count);
  }

  /** The session of an entry, unless nothing is told of it, or, `withOutdated`, nothing is left of it. */
  async function toldOf(
    operation: Operation,
    id: string,
    withOutdated: boolean,
  ): Promise<Session | undefined> {
    const text = (await connection.command(operation, "get", keys.session(id))) as string | null;
    const session = text === null ? describedById(id, times.lifetimes) : unpack(id, text);
    const { now } = operation;
    const hasIds = !hasNoIds(session);
    if (!hasIds && (text === null || !isLive(session, now))) {
      const count = await connection.command(operation, "exists", keys.records(id));
      if (count !== 1) return undefined;
    }
    const isKept = isLive(session, now) || now < purgeAfter(session, true, times);
    return isKept || withOutdated ? session : undefined;
  }

  async function total(operation: Operation, names: readonly string[]): Promise<number> {
    const counts = await Promise.all(names.map((name) => counted(operation, name)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async function totalOf(operation: Operation, filter: SessionFilter, names: readonly string[]) {
    if (isUnconditional(filter)) return total(operation, names);
    const field = mostTelling.find((one) => filter[one] !== null);
    if (field === undefined || !isUnconditional({ ...filter, [field]: null })) return null;
    return Math.min(MAX_COUNTED, await total(operation, names));
  }

  return {
    async enter(operation, id, ids, isNew) {
      const names = namesOf(id, ids, isNew);
      const entry = sortable(id);
      await Promise.all(names.map((name) => enter(operation, name, entry)));
    },
    entriesOf: (operation, id, ids, isNew) => ({
      names: namesOf(id, ids, isNew),
      words: [...boundsAt(operation.now), 0, sortable(id)],
    }),
    async leave(operation, id, ids) {
      const names = namesOf(id, ids, true);
      const entry = sortable(id);
      await Promise.all(names.map((name) => connection.write(operation, "zrem", name, entry)));
    },
    async list(operation, { filter, after, limit, now, includePurgeable: withOutdated = false }) {
      const field = mostTelling.find((one) => filter[one] !== null);
      const shards = Array.from({ length: INDEX_SHARDS }, (_, i) => keys.allSessions(i));
      const names = field === undefined ? shards : [keys.index(field, filter[field] ?? "")];
      const count = after === null ? await totalOf(operation, filter, names) : null;
      const sessions: Session[] = [];
      const step = Math.min(LOOKED_AT, Math.max(64, limit + 1));
      let { before, from } = rangeOf(filter, after);
      for (let looked = 0; looked < LOOKED_AT; looked += step) {
        const found = await newest(operation, names, { before, from }, step);
        const told = await Promise.all(
          found.map((entry) => toldOf(operation, idOf(entry), withOutdated)),
        );
        for (const session of told) {
          if (session === undefined || !isMatch(session, filter, now)) continue;
          if (sessions.length === limit) {
            return { sessions, next: sortKeyOf(sessions.at(-1)?.id ?? ""), total: count };
          }
          sessions.push(session);
        }
        const last = found.at(-1);
        if (found.length < step || last === undefined)
          return { sessions, next: null, total: count };
        before = `(${last}`;
      }
      return { sessions, next: sortKeyOf(idOf(before.slice(1))), total: count };
    },
  };
}

/** Bounds of ZREVRANGEBYLEX. */
interface Range {
  readonly before: string;
  readonly from: string;
}

function rangeOf({ since, until }: SessionFilter, after: string | null): Range {
  // What follows a place begins with it, and is greater than it.
  const bounds = [after === null ? LAST : sortable(after), until === null ? LAST : prefixAt(until)];
  const [before = LAST] = bounds.toSorted();
  return { before: `(${before}`, from: since === null ? "-" : `[${prefixAt(since)}` };
}

/** Of ids that are asked for together, the one that the fewest sessions have comes first. */
const mostTelling = ["visitId", "globalVisitId", "customerId", "agentId"] as const;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** The same characters in the order of their bytes: sorted sets know no other. */
const SORTED = ALPHABET.split("").toSorted().join("");
/** Greater than any. */
const LAST = "~";
const MAX_TIME = 2 ** 48 - 1;

/**
 * Puts the character of `to` for each of `from` in an id or a part of one. By code and in place, as every
 * change comes through here: to look each up in the alphabet and add it to a text takes eight times as long.
 */
function createTranslation(from: string, to: string): (text: string) => string {
  const codes = new Uint8Array(128);
  for (let i = 0; i < from.length; i++) codes[from.charCodeAt(i)] = to.charCodeAt(i);
  const result = Buffer.alloc(SESSION_ID_CHARACTERS);
  return (text) => {
    for (let i = 0; i < text.length; i++) result[i] = codes[text.charCodeAt(i)] as number;
    return result.toString("latin1", 0, text.length);
  };
}

/** Base64url whose order is that of the bytes. */
const sortable = createTranslation(ALPHABET, SORTED);
const idOf = createTranslation(SORTED, ALPHABET);

/** What entries of that time (ms) and later are not less than. */
function prefixAt(time: number): string {
  const head = Buffer.alloc(6);
  head.writeUIntBE(Math.max(0, Math.min(MAX_TIME, Math.floor(time))), 0, 6);
  return sortable(head.toString("base64url"));
}

/**
 * The time of an id tells its shard: what is created in one turn of the event loop goes to the same one, and
 * so in one command.
 */
function shardOf(id: string): number {
  return Math.floor(timeAndCount(id).createdAt / SHARD_TIME) % INDEX_SHARDS;
}
