import { isBare, type Session } from "../../../session/session.ts";
import type { AssociationResult, CreateResult } from "../../ports/sessions.ts";
import type { Command, Outcome } from "../writer/writer-protocol.ts";

/** The number of bits in the filter of offered handles. */
const FILTER_BITS = 2 ** 21;
/** The number of offered handles after which the filter is cleared. */
const MAX_OFFERED = 2 ** 16;

/**
 * The sessions that the serving thread keeps in memory, by handle. The cache is never out of date: only this process
 * changes sessions, and the outcome of a change updates the cache before the caller gets it.
 *
 * The cache has two halves of up to `capacity / 2` sessions. A session in the old half moves to the young one when it is
 * used. When the young half is full, it becomes the old one, and the previous old one is dropped as a whole. So nearly
 * every hit is a single look-up. A list in the order of use would have to move an entry at each hit.
 *
 * A session that is read only once is not cached. It would drive out another one, and caching costs more than reading
 * it again.
 */
export class SessionCache {
  readonly #halfSize: number;
  #young = new Map<string, Session>();
  #old = new Map<string, Session>();
  readonly #filter = new Uint8Array(FILTER_BITS / 8);
  #offered = 0;

  constructor(capacity: number) {
    this.#halfSize = Math.max(1, Math.floor(capacity / 2));
  }

  get(handle: string): Session | undefined {
    const session = this.#young.get(handle);
    if (session !== undefined) return session;
    const old = this.#old.get(handle);
    if (old !== undefined) this.set(handle, old);
    return old;
  }

  set(handle: string, session: Session): void {
    if (this.#young.size >= this.#halfSize && !this.#young.has(handle)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(handle, session);
  }

  /** Caches a session if its handle was offered before. So it is cached when it is read for the second time. */
  offer(handle: string, session: Session): void {
    const index = filterIndexOf(handle);
    const byte = this.#filter[index >> 3] as number;
    const bit = 1 << (index & 7);
    if ((byte & bit) !== 0) {
      this.set(handle, session);
      return;
    }
    this.#filter[index >> 3] = byte | bit;
    if (++this.#offered < MAX_OFFERED) return;
    this.#filter.fill(0);
    this.#offered = 0;
  }

  delete(handle: string): void {
    this.#young.delete(handle);
    this.#old.delete(handle);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }

  /** Updates the cache after a successful command. */
  update(command: Command, outcome: Outcome): void {
    if (command.kind === "eraseSessions") {
      for (const handle of command.handles) this.delete(handle);
      for (const tombstone of outcome as Outcome<"eraseSessions">) this.set(tombstone.handle, tombstone);
      return;
    }
    if (command.kind === "importItems") {
      for (const item of command.items) if (item.kind === "session") this.delete(item.session.handle);
      return;
    }
    const session = sessionAfter(command, outcome);
    if (session === undefined) return;
    // The cache may have a later renewal of the session already.
    const known = command.kind === "renew" ? this.get(session.handle) : undefined;
    if (known === undefined || known.lastActiveAt <= session.lastActiveAt) {
      this.set(session.handle, session);
    }
  }

  /** Removes the sessions of a command whose outcome is unknown. */
  forget(command: Command): void {
    for (const handle of handlesOf(command)) this.delete(handle);
  }
}

/** Returns the session as it is after a successful command; `undefined` if the command has not changed a session. */
function sessionAfter(command: Command, outcome: Outcome): Session | undefined {
  switch (command.kind) {
    case "create":
      // A bare session is not stored, and so not cached either (contract.md#rule-8).
      return (outcome as CreateResult).outcome === "created" && !isBare(command.session) ? command.session : undefined;
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

function handlesOf(command: Command): readonly string[] {
  if (command.kind === "eraseSessions") return command.handles;
  if (command.kind === "create") return [command.session.handle];
  return "handle" in command && command.handle !== undefined ? [command.handle] : [];
}

/** Returns the position of a handle in the filter: 21 bits from four characters in the random part of the handle. */
function filterIndexOf(handle: string): number {
  const bits =
    (handle.charCodeAt(14) << 15) ^
    (handle.charCodeAt(15) << 10) ^
    (handle.charCodeAt(16) << 5) ^
    handle.charCodeAt(17);
  return bits & (FILTER_BITS - 1);
}
