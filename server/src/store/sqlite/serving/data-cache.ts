import { NO_DATA } from "../../../session/data.ts";
import type { DataResult } from "../../ports/data.ts";
import type { Command, Outcome } from "../writer/writer-protocol.ts";

/** Characters in the cache for each session that the cache of sessions may have. */
const CHARACTERS_PER_SESSION = 100;
/** Characters that an entry counts for besides its data. */
const ENTRY_CHARACTERS = 128;

/** The data of the sessions whose data were used last. It has no more than the file, and never something older. */
export class DataCache {
  /** By handle, the least recently used first. */
  readonly #entries = new Map<string, string>();
  readonly #maxCharacters: number;
  #characters = 0;

  constructor(cacheSessions: number) {
    this.#maxCharacters = cacheSessions * CHARACTERS_PER_SESSION;
  }

  get(handle: string): string | undefined {
    const data = this.#entries.get(handle);
    if (data === undefined) return undefined;
    this.#entries.delete(handle);
    this.#entries.set(handle, data);
    return data;
  }

  set(handle: string, data: string): void {
    this.delete(handle);
    this.#entries.set(handle, data);
    this.#characters += ENTRY_CHARACTERS + data.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#characters <= this.#maxCharacters) break;
      this.delete(oldest);
    }
  }

  delete(handle: string): void {
    const data = this.#entries.get(handle);
    if (data === undefined) return;
    this.#entries.delete(handle);
    this.#characters -= ENTRY_CHARACTERS + data.length;
  }

  /** Updates the cache after a successful command. */
  update(command: Command, outcome: Outcome): void {
    if (command.kind === "changeData") {
      const result = outcome as DataResult;
      if (result.outcome === "changed") this.set(command.handle, result.json);
    } else if (command.kind === "end") {
      // The outcome is `null` if no session was ended, for example by a retired id.
      if (outcome !== null && this.#entries.has(command.handle)) this.set(command.handle, NO_DATA);
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
