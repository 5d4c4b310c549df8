import { NO_DATA } from "../../../session/data.ts";
import type { Session } from "../../../session/session.ts";
import type { DataResult, SessionWithData } from "../../ports/data.ts";
import type { Command, Outcome } from "../writer/writer-protocol.ts";

/** Maximum characters in the cache for each session that the cache of sessions may have. */
const CHARACTERS_PER_SESSION = 200;
/** Characters that an entry counts for besides its data. */
const ENTRY_CHARACTERS = 128;
/**
 * The part of the cache that is freed when it is full. A `Map` passes over all deleted entries to find its oldest entry, so
 * several entries are deleted at a time.
 */
const FREED_PART = 1 / 64;

/** The data of a session. A change replaces the entry. */
interface Entry {
  /** The session as it was when `getWith` returned this entry; `undefined` if it has not returned it. */
  readonly session: Session | undefined;
  readonly data: string;
  /** Whether the data were used since the entry was added or last examined. */
  isUsed: boolean;
}

/**
 * The data of the sessions whose data were used last. It has no more than the file, and never something older.
 *
 * When the cache is full, the oldest entries are deleted, except those that were used: each of these becomes the newest
 * entry instead. So a use costs no more than a look-up, and nothing is deleted as long as all data fit.
 *
 * An entry is also found by its session object. Such a look-up compares no text, so that it reads less memory.
 */
export class DataCache {
  /** By handle, the oldest entry first. */
  readonly #entries = new Map<string, Entry>();
  readonly #bySession = new WeakMap<Session, Entry & SessionWithData>();
  #characters = 0;
  readonly #maxCharacters: number;

  constructor(cacheSessions: number) {
    this.#maxCharacters = cacheSessions * CHARACTERS_PER_SESSION;
  }

  get(handle: string): string | undefined {
    const entry = this.#entries.get(handle);
    if (entry === undefined) return undefined;
    entry.isUsed = true;
    return entry.data;
  }

  /** Returns a session with its data, if they are in the cache: the same object until one of them changes. */
  getWith(session: Session): SessionWithData | undefined {
    let found = this.#bySession.get(session);
    if (found === undefined) {
      const entry = this.#entries.get(session.handle);
      if (entry === undefined) return undefined;
      found = { session, data: entry.data, isUsed: true };
      this.#replace(session.handle, entry, found);
      this.#bySession.set(session, found);
    }
    found.isUsed = true;
    return found;
  }

  set(handle: string, data: string): void {
    const entry = this.#entries.get(handle);
    this.#replace(handle, entry, { session: undefined, data, isUsed: entry !== undefined });
    this.#characters += entry === undefined ? ENTRY_CHARACTERS + data.length : data.length - entry.data.length;
    if (this.#characters > this.#maxCharacters) this.#free();
  }

  #replace(handle: string, before: Entry | undefined, after: Entry): void {
    if (before?.session !== undefined) this.#bySession.delete(before.session);
    this.#entries.set(handle, after);
  }

  #free(): void {
    const wanted = this.#maxCharacters * (1 - FREED_PART);
    // The loop also reaches the entries that it adds at the end.
    for (const [handle, entry] of this.#entries) {
      if (this.#characters <= wanted) return;
      if (!entry.isUsed) this.delete(handle);
      else {
        entry.isUsed = false;
        this.#entries.delete(handle);
        this.#entries.set(handle, entry);
      }
    }
  }

  delete(handle: string): void {
    const entry = this.#entries.get(handle);
    if (entry === undefined) return;
    this.#entries.delete(handle);
    if (entry.session !== undefined) this.#bySession.delete(entry.session);
    this.#characters -= ENTRY_CHARACTERS + entry.data.length;
  }

  /** Updates the cache after a successful command. */
  update(command: Command, outcome: Outcome): void {
    if (command.kind === "changeData") {
      const result = outcome as DataResult;
      if (result.outcome === "changed") this.set(command.handle, result.json);
    } else if (command.kind === "end") {
      // The outcome is `null` if no session was ended, for example by a retired id.
      if (outcome !== null && this.get(command.handle) !== undefined) this.set(command.handle, NO_DATA);
    } else if (command.kind === "eraseSessions") {
      for (const handle of command.handles) this.delete(handle);
    } else if (command.kind === "importItems") {
      for (const item of command.items) if (item.kind === "session") this.delete(item.session.handle);
    }
  }

  /** Removes the data of a command whose outcome is unknown. */
  forget(command: Command): void {
    if (command.kind === "eraseSessions") for (const handle of command.handles) this.delete(handle);
    else if ("handle" in command && command.handle !== undefined) this.delete(command.handle);
  }
}
