import { isBare, type Session } from "../../../session/session.ts";
import type { DataResult } from "../../ports/data.ts";
import type { AssociationResult, CreateResult } from "../../ports/sessions.ts";
import type { Command, Outcome } from "../writer/writer-protocol.ts";

/** The number of bits in the filter of offered handles. */
const FILTER_BITS = 2 ** 21;
/** The number of offered handles after which the filter is cleared. */
const MAX_OFFERED = 2 ** 16;

/** A cached session. */
interface Entry {
  session: Session;
  /** The id by which `getById` finds the session, if there is one. */
  id: string | undefined;
}

/**
 * One half of the cache. Each entry with an id has its session in `byId` too, so that a hit by the id reads no other
 * memory than the session's.
 */
class Half {
  readonly byHandle = new Map<string, Entry>();
  readonly byId = new Map<string, Session>();

  put(entry: Entry): void {
    this.byHandle.set(entry.session.handle, entry);
    if (entry.id !== undefined) this.byId.set(entry.id, entry.session);
  }
}

/**
 * The sessions that the serving thread keeps in memory, by handle. The cache is never out of date: only this process
 * changes sessions, and the outcome of a change updates the cache before the caller gets it.
 *
 * A session in use is also found by the id that opened it, because most requests have only an id: a single look-up
 * replaces the verification of the id's signature. After a rotation the session is found by the old id until the new one
 * opens it, so the caller compares the generations.
 *
 * The cache has two halves of up to `capacity / 2` sessions. A session in the old half moves to the young one when it is
 * used. When the young half is full, it becomes the old one, and the previous old one is dropped as a whole. So nearly
 * every hit is a single look-up. A list in the order of use would have to move an entry at each hit. What has moved stays
 * in the old half too, possibly in an earlier state: so the young half is always asked first, and an id is removed from
 * both.
 *
 * A session that is read only once is not cached. It would drive out another one, and caching costs more than reading
 * it again.
 */
export class SessionCache {
  readonly #halfSize: number;
  #young = new Half();
  #old = new Half();
  readonly #filter = new Uint8Array(FILTER_BITS / 8);
  #offered = 0;

  constructor(capacity: number) {
    this.#halfSize = Math.max(1, Math.floor(capacity / 2));
  }

  get(handle: string): Session | undefined {
    return this.#find(handle)?.session;
  }

  /** Returns the session that was opened with this id. The session may have been rotated since then. */
  getById(id: string): Session | undefined {
    const session = this.#young.byId.get(id);
    if (session !== undefined) return session;
    const old = this.#old.byId.get(id);
    return old && this.get(old.handle);
  }

  /** Returns the session, and lets `getById` find it by this id, which is one of the session. */
  open(handle: string, id: string): Session | undefined {
    const entry = this.#find(handle);
    if (entry !== undefined && entry.id !== id) {
      this.#removeId(entry);
      entry.id = copyOf(id);
      this.#young.put(entry);
    }
    return entry?.session;
  }

  set(handle: string, session: Session): void {
    const entry = this.#find(handle);
    if (entry === undefined) this.#addToYoung({ session, id: undefined });
    else {
      entry.session = session;
      this.#young.put(entry);
    }
  }

  /** Caches a new session. Its handle is not in the cache: nobody knew it before. */
  add(session: Session): void {
    this.#addToYoung({ session, id: undefined });
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
    const entry = this.#find(handle);
    if (entry !== undefined) this.#removeId(entry);
    this.#young.byHandle.delete(handle);
    this.#old.byHandle.delete(handle);
  }

  clear(): void {
    this.#young = new Half();
    this.#old = new Half();
  }

  /** Returns the entry of a handle, which is in the young half then. */
  #find(handle: string): Entry | undefined {
    const entry = this.#young.byHandle.get(handle);
    if (entry !== undefined) return entry;
    const old = this.#old.byHandle.get(handle);
    if (old !== undefined) this.#addToYoung(old);
    return old;
  }

  #addToYoung(entry: Entry): void {
    if (this.#young.byHandle.size >= this.#halfSize) {
      this.#old = this.#young;
      this.#young = new Half();
    }
    this.#young.put(entry);
  }

  #removeId({ id }: Entry): void {
    if (id === undefined) return;
    this.#young.byId.delete(id);
    this.#old.byId.delete(id);
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
    if (command.kind === "create") {
      // A bare session is not stored, and so not cached either (contract.md#rule-8).
      const isStored = (outcome as CreateResult).outcome === "created" && !isBare(command.session);
      if (isStored) this.add(command.session);
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
    case "associate": {
      const result = outcome as AssociationResult;
      return result.outcome === "associated" ? result.session : undefined;
    }
    case "changeData": {
      const result = outcome as DataResult;
      return result.outcome === "changed" ? (result.session ?? undefined) : undefined;
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

/** Copies an id. The text from the request is a part of the request line, and would keep all of it in memory. */
function copyOf(id: string): string {
  return Buffer.from(id, "latin1").toString("latin1");
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
