import { NO_DATA } from "../../../session/data.ts";
import type { DataResult } from "../../ports/data.ts";
import type { Command, Outcome } from "../writer/writer-protocol.ts";

/** Maximum characters in the cache for each session that the cache of sessions may have. */
const CHARACTERS_PER_SESSION = 200;
/** Characters that an entry counts for besides its data. */
const ENTRY_CHARACTERS = 128;

/**
 * The data of the sessions whose data were used last. It has no more than the file, and never something older.
 *
 * It has two halves, as `SessionCache` has. A `Map` in the order of use would have to delete an entry at each use, and to
 * pass over all deleted entries to find the oldest one: 15 us with 100,000 entries.
 */
export class DataCache {
  /** By handle. Data that have moved to the young half stay in the old one too, possibly in an earlier state. */
  #young = new Map<string, string>();
  #old = new Map<string, string>();
  /** Characters of the young half. */
  #characters = 0;
  readonly #maxHalf: number;

  constructor(cacheSessions: number) {
    this.#maxHalf = (cacheSessions * CHARACTERS_PER_SESSION) / 2;
  }

  get(handle: string): string | undefined {
    const data = this.#young.get(handle);
    if (data !== undefined) return data;
    const old = this.#old.get(handle);
    if (old !== undefined) this.set(handle, old);
    return old;
  }

  set(handle: string, data: string): void {
    const before = this.#young.get(handle);
    const added = before === undefined ? ENTRY_CHARACTERS + data.length : data.length - before.length;
    if (this.#characters + added > this.#maxHalf) this.#addToNewHalf(handle, data);
    else {
      this.#characters += added;
      this.#young.set(handle, data);
    }
  }

  /** Begins a new young half. It has this entry even if that is larger than a half. */
  #addToNewHalf(handle: string, data: string): void {
    this.#old = this.#young;
    this.#young = new Map([[handle, data]]);
    this.#characters = ENTRY_CHARACTERS + data.length;
  }

  delete(handle: string): void {
    const data = this.#young.get(handle);
    if (data !== undefined) this.#characters -= ENTRY_CHARACTERS + data.length;
    this.#young.delete(handle);
    this.#old.delete(handle);
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
