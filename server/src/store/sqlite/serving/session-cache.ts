import { hasNoIds, type Session } from "../../../session/session.ts";
import type { AssociationResult, CreateResult } from "../../ports/sessions.ts";
import type { Command, Outcome } from "../writer/writer-protocol.ts";

/** The number of bits in the filter of offered ids. */
const FILTER_BITS = 2 ** 21;
/** The number of offered ids after which the filter is cleared. */
const MAX_OFFERED = 2 ** 16;

/**
 * The sessions that the serving thread keeps in memory. The cache is never out of date: only this process changes
 * sessions, and the outcome of a change updates the cache before the caller gets it.
 *
 * The cache has two generations of up to `capacity / 2` sessions. A session in the old generation moves to the young
 * one when it is used. When the young generation is full, it becomes the old one, and the previous old one is dropped
 * as a whole. So nearly every hit is a single look-up. A list in the order of use would have to move an entry at each
 * hit.
 *
 * A session that is read only once is not cached. It would drive out another one, and caching costs more than reading
 * it again.
 */
export class SessionCache {
  readonly #generationSize: number;
  #young = new Map<string, Session>();
  #old = new Map<string, Session>();
  readonly #filter = new Uint8Array(FILTER_BITS / 8);
  #offered = 0;

  constructor(capacity: number) {
    this.#generationSize = Math.max(1, Math.floor(capacity / 2));
  }

  get(id: string): Session | undefined {
    const session = this.#young.get(id);
    if (session !== undefined) return session;
    const old = this.#old.get(id);
    if (old !== undefined) this.set(id, old);
    return old;
  }

  set(id: string, session: Session): void {
    if (this.#young.size >= this.#generationSize && !this.#young.has(id)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, session);
  }

  /** Caches a session if its id was offered before. So it is cached when it is read for the second time. */
  offer(id: string, session: Session): void {
    const index = filterIndexOf(id);
    const byte = this.#filter[index >> 3] as number;
    const bit = 1 << (index & 7);
    if ((byte & bit) !== 0) {
      this.set(id, session);
      return;
    }
    this.#filter[index >> 3] = byte | bit;
    if (++this.#offered < MAX_OFFERED) return;
    this.#filter.fill(0);
    this.#offered = 0;
  }

  delete(id: string): void {
    this.#young.delete(id);
    this.#old.delete(id);
  }

  /** Updates the cache after a successful command. */
  update(command: Command, outcome: Outcome): void {
    if (command.kind === "eraseSessions") {
      for (const id of command.ids) this.delete(id);
      for (const tombstone of outcome as Outcome<"eraseSessions">) this.set(tombstone.id, tombstone);
      return;
    }
    if (command.kind === "importItems") {
      for (const item of command.items) if (item.kind === "session") this.delete(item.session.id);
      return;
    }
    const session = sessionAfter(command, outcome);
    if (session === undefined) return;
    // The cache may have a later renewal of the session already.
    const known = command.kind === "renew" ? this.get(session.id) : undefined;
    if (known === undefined || known.lastActiveAt <= session.lastActiveAt) {
      this.set(session.id, session);
    }
  }

  /** Removes the sessions of a command whose outcome is unknown. */
  forget(command: Command): void {
    for (const id of sessionIdsOf(command)) this.delete(id);
  }
}

/** Returns the session as it is after a successful command; `undefined` if the command has not changed a session. */
function sessionAfter(command: Command, outcome: Outcome): Session | undefined {
  switch (command.kind) {
    case "create":
      // A session without ids is not stored, and so not cached either (contract.md#rule-8).
      return (outcome as CreateResult).outcome === "created" && !hasNoIds(command.session)
        ? command.session
        : undefined;
    case "associate": {
      const result = outcome as AssociationResult;
      return result.outcome === "associated" ? result.session : undefined;
    }
    case "renew":
    case "end":
      return (outcome as Session | null) ?? undefined;
    default:
      return undefined;
  }
}

function sessionIdsOf(command: Command): readonly string[] {
  if (command.kind === "eraseSessions") return command.ids;
  if (command.kind === "create") return [command.session.id];
  return "id" in command && command.id !== undefined ? [command.id] : [];
}

/** Returns the position of an id in the filter: 21 bits from four characters in the random part of the id. */
function filterIndexOf(id: string): number {
  const bits = (id.charCodeAt(14) << 15) ^ (id.charCodeAt(15) << 10) ^ (id.charCodeAt(16) << 5) ^ id.charCodeAt(17);
  return bits & (FILTER_BITS - 1);
}
