import type { SignOut } from "../../store/ports/credentials.ts";

/** The sign-outs from the console that this process knows: its own, and those that it has read from the store. */
export class SignOuts {
  #ids: ReadonlySet<string> = new Set();
  /** Those of this process that the store may not have returned yet. */
  readonly #own = new Map<string, number>();

  has(id: string): boolean {
    return this.#own.has(id) || this.#ids.has(id);
  }

  /** Adds a sign-out of this process, at `now` (Unix ms). */
  add({ id, until }: SignOut, now: number): void {
    for (const [other, end] of this.#own) if (end <= now) this.#own.delete(other);
    this.#own.set(id, until);
  }

  /** Replaces the sign-outs that were read from the store. */
  use(signOuts: readonly SignOut[]): void {
    this.#ids = new Set(signOuts.map(({ id }) => id));
  }
}
