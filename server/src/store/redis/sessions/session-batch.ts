import { atTurnsEnd } from "../connection/command.ts";
import type { Argument, Connection, TimedOperation } from "../connection/connection.ts";
import type { KeyNames } from "../layout/key-names.ts";
import { newNonce } from "../layout/nonce.ts";
import type { PendingNotes } from "../notes/pending-notes.ts";
import { scripts } from "../scripts/scripts.ts";
import { FENCE_LIFE } from "./visit-claim.ts";

/** Maximum number of sessions in one command. The number is small, because a script blocks the Redis server. */
const MAX_SESSIONS = 32;

/** The number of keys of each session. */
const widths = { create: 2, associate: 4, "associate-with-data": 5 } as const;

/** A session to store, in its stored form. */
export interface Draft {
  readonly handle: string;
  /** Key name of the claim of its visit; `null` without a visit. */
  readonly claim: string | null;
  /** `""` if the script must apply the rules of an association. */
  readonly text: string;
  /** Time (ms) until the session is purged. */
  readonly life: number;
  readonly note: string;
  /** The arguments of the rules of an association, as `scripts/store-sessions.lua` expects them. */
  readonly facts?: string;
}

/**
 * The result of storing a session:
 * - `occupied`: something else is stored of the new session. Nothing was changed.
 * - `claimed`: another session has claimed the visit. Nothing was changed.
 * - an array: the reply of the rules of an association.
 */
export type DraftOutcome = "stored" | "occupied" | "claimed" | readonly unknown[];

/** The part of the engine that a batch uses. */
export interface BatchEngine {
  readonly connection: Connection;
  readonly keys: KeyNames;
  readonly notes: PendingNotes;
  /** Lifetime of a visit's claim in ms. */
  readonly claimLife: number;
  readonly policyArgs: readonly Argument[];
  queueOf(handle: string): string;
}

interface Entry {
  readonly operation: TimedOperation;
  readonly draft: Draft;
  readonly resolve: (outcome: DraftOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Creates sessions, or associates ids, and claims their visits, if their keys share a slot or one server holds all. All
 * calls of one turn of the event loop with the same queue of notes share a script call, which takes Redis half the time of
 * a call for each.
 */
export class SessionBatch {
  readonly #engine: BatchEngine;
  readonly #kind: keyof typeof widths;
  /** The calls of this turn by their queues. There are many in a cluster, and one if one server holds all keys. */
  #entries = new Map<string, Entry[]>();

  constructor(engine: BatchEngine, kind: keyof typeof widths) {
    this.#engine = engine;
    this.#kind = kind;
  }

  /** Stores a session at the end of this turn. */
  store(operation: TimedOperation, draft: Draft): Promise<DraftOutcome> {
    return new Promise((resolve, reject) => {
      if (this.#entries.size === 0) atTurnsEnd(() => this.#flush());
      const queue = this.#engine.queueOf(draft.handle);
      const entry = { operation, draft, resolve, reject };
      const others = this.#entries.get(queue);
      if (others === undefined) this.#entries.set(queue, [entry]);
      else others.push(entry);
    });
  }

  #flush(): void {
    const byQueue = this.#entries;
    this.#entries = new Map();
    for (const [queue, entries] of byQueue) {
      for (let from = 0; from < entries.length; from += MAX_SESSIONS) {
        void this.#send(queue, entries.slice(from, from + MAX_SESSIONS));
      }
    }
  }

  async #send(queue: string, entries: readonly Entry[]): Promise<void> {
    const [{ operation: first }] = entries as readonly [Entry];
    const { connection } = this.#engine;
    // The first operation has the earliest deadline.
    const { now, deadline, isExempt = false } = first;
    const operation: TimedOperation = { now, deadline, isExempt, isUncertain: false };
    try {
      const words = this.#wordsOf(entries, queue);
      const reply = await connection.script(operation, "change", scripts.storeSessions, ...words);
      this.#settle(entries, queue, reply as string | [string, ...unknown[]]);
    } catch (error) {
      for (const entry of entries) {
        if (operation.isUncertain) entry.operation.isUncertain = true;
        entry.reject(error);
      }
    }
  }

  /** Returns the keys and arguments of the script. */
  #wordsOf(entries: readonly Entry[], queue: string): [names: string[], args: Argument[]] {
    const { keys, claimLife, policyArgs } = this.#engine;
    const [{ draft: first }] = entries as readonly [Entry];
    const nonce = newNonce();
    const names = [keys.fence(first.handle, nonce), queue];
    const isNew = this.#kind === "create";
    const args = [nonce, claimLife, FENCE_LIFE, widths[this.#kind], ...(isNew ? [] : policyArgs)];
    for (const { draft } of entries) {
      const { handle, claim, text, life, note, facts = "" } = draft;
      const session = keys.session(handle);
      names.push(session, claim ?? session);
      args.push(text, life, note);
      if (isNew) continue;
      names.push(keys.records(handle), keys.setAside(handle));
      if (this.#kind === "associate-with-data") names.push(keys.data(handle));
      args.push(facts);
    }
    return [names, args];
  }

  #settle(entries: readonly Entry[], queue: string, reply: string | [string, ...unknown[]]): void {
    const { notes } = this.#engine;
    const [id, ...outcomes] = typeof reply === "string" ? [reply] : reply;
    const stored: string[] = [];
    for (const [i, { draft, resolve }] of entries.entries()) {
      const outcome = outcomes[i] ?? "stored";
      if (outcome === "stored") stored.push(draft.note);
      // Its note is in the queue.
      if (outcome === "stored-before") notes.touch(queue);
      resolve(outcome === "stored-before" ? "stored" : (outcome as DraftOutcome));
    }
    if (stored.length > 0) notes.add({ queue, id, texts: stored });
  }
}
