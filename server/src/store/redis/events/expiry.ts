import { timeAndCount } from "../../../session/id.ts";
import { ExpiryPace, SLOT_MS } from "../../expiry-pace.ts";
import type { PurgeResult } from "../../ports/lifecycle.ts";
import { refusal } from "../connection/connection.ts";
import { RedisFault } from "../connection/faults.ts";
import type { Engine, Operation } from "../engine.ts";
import { sessionTags } from "../index/index-entry.ts";
import { tagIn } from "../layout/key-names.ts";
import { FailingShards } from "../notes/failing-shards.ts";
import { scripts } from "../scripts/scripts.ts";
import { sessionArgs, sessionKeys } from "../sessions/session-scripts.ts";
import { addDue, type Due, lastEnded, listOf, tagOfDue, tagOfSlot } from "./due-lists.ts";

/** Number of slots that a slice looks at. */
const SLOTS = 1024;
/** Maximum number of sessions that a script examines: it blocks Redis for some 10 us for each. */
const SESSIONS_PER_SCRIPT = 16;
/**
 * Number of slots that are looked at again, because a process whose clock is behind, or who adds handles late, may have
 * added to them meanwhile.
 */
const LOOK_BACK = 12;
/** Time (ms) after which a session that could not be examined is due again. */
const RETRY_PAUSE = 20_000;

/**
 * Works the lists of due sessions off (`due-lists.ts`), slot by slot, in rounds. One process at a time does this. A list that
 * cannot be read, as its node is down, is looked at again in each round, and delays no other.
 */
export class Expiry {
  readonly #engine: Engine;
  /** The slot before which all lists are worked off, as it is stored; `undefined` if this process has not read it. */
  #stored: number | undefined;
  /** The slots that are left in this round, in ascending order, and the slot at which it ends. */
  #slots: readonly number[] = [];
  #end = 0;
  /** The slots of this round whose lists could not be read or worked off. */
  readonly #missed = new Set<number>();
  readonly #pace = new ExpiryPace();
  /** The shards whose sessions cannot be examined. They are due again later, so that all others need not wait for them. */
  readonly #shards: FailingShards;
  /** The shards whose lists cannot be used. */
  readonly #lists: FailingShards;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#shards = new FailingShards(engine);
    this.#lists = new FailingShards(engine);
  }

  /** Begins at the current slot, in a store that has never published an event. */
  static async init(operation: Operation): Promise<void> {
    await operation.command("hsetnx", operation.keys.eventState, "due", lastEnded(operation.now));
  }

  /** Forgets the place, because another process may do the work meanwhile. */
  reset(): void {
    this.#stored = undefined;
  }

  /** Examines some of the sessions that may have expired at `now`. */
  async slice(operation: Operation, now: number): Promise<PurgeResult> {
    const { eventState } = operation.keys;
    // The first slot that has not ended.
    const current = lastEnded(now) + 1;
    if (this.#stored === undefined) {
      this.#stored = Number(await operation.command("hget", eventState, "due")) || current;
      this.#begin([], this.#stored, current);
    } else if (this.#slots.length === 0) this.#begin(this.#missed, this.#end, current);
    const slots = this.#slots.slice(0, SLOTS);
    const lengths = await Promise.all(
      slots.map((slot) => this.#lists.run(operation, tagOfSlot(slot), (one) => one.command("llen", listOf(one, slot)))),
    );
    for (const [i, slot] of slots.entries()) if (lengths[i] === undefined) this.#missed.add(slot);
    const due = slots.flatMap((slot, i) =>
      Number(lengths[i] ?? 0) > 0 ? [{ slot, sessions: Number(lengths[i]) }] : [],
    );
    const [first] = due;
    if (first !== undefined) {
      const expired = await this.#examine(first.slot, this.#pace.next(due, now), now);
      if (expired === undefined) this.#missed.add(first.slot);
      this.#slots = this.#slots.slice(slots.indexOf(first.slot) + (expired === undefined ? 1 : 0));
      return { expired: expired ?? 0, isExpiring: true, hasMore: true };
    }
    this.#pace.rest();
    this.#slots = this.#slots.slice(SLOTS);
    const done = Math.min(this.#slots[0] ?? this.#end, ...this.#missed);
    if (done > this.#stored) {
      await this.#engine.begin().command("hset", eventState, "due", done);
      this.#stored = done;
    }
    return { expired: 0, isExpiring: false, hasMore: this.#slots.length > 0 };
  }

  /** Begins a round with the slots that the last one has missed, those before `from` that are looked at again, and later ones. */
  #begin(missed: Iterable<number>, from: number, current: number): void {
    const later = Array.from({ length: Math.max(0, current - from) + LOOK_BACK }, (_, i) => from - LOOK_BACK + i);
    this.#slots = [...new Set([...missed, ...later])].toSorted((a, b) => a - b);
    this.#end = Math.max(from, current);
    this.#missed.clear();
  }

  /**
   * Examines the first `count` handles of the list of a slot, and removes them. Returns how many have expired; `undefined`
   * if the list cannot be read.
   */
  async #examine(slot: number, count: number, now: number): Promise<number | undefined> {
    const tag = tagOfSlot(slot);
    const read = (one: Operation) => one.command("lrange", listOf(one, slot), 0, count - 1) as Promise<string[]>;
    const handles = await this.#lists.run(this.#engine.begin(), tag, read);
    if (handles === undefined) return undefined;
    const due = [...new Set(handles)].map((handle) => ({ handle, createdAt: timeAndCount(handle).createdAt }));
    const later: Due[] = [];
    let expired = 0;
    // One small part after the other, so that requests have their turn in this process and in Redis.
    for (let from = 0; from < due.length; from += SESSIONS_PER_SCRIPT) {
      const operation = this.#engine.begin();
      const byQueue = Map.groupBy(due.slice(from, from + SESSIONS_PER_SCRIPT), ({ handle }) =>
        this.#engine.queueOf(handle),
      );
      const parts = await Promise.all(
        Array.from(byQueue, async ([queue, some]) => {
          const expire = (one: Operation) => expireSessions(one, queue, some, now);
          return { some, results: await this.#shards.run(operation, tagIn(queue), expire) };
        }),
      );
      for (const { some, results } of parts) {
        for (const [i, { handle, createdAt }] of some.entries()) {
          const result = results?.[i] ?? 0;
          if (results === undefined) later.push({ handle, at: now + RETRY_PAUSE });
          else if (result === 0) expired++;
          else if (result > 0) later.push({ handle, at: createdAt + result });
        }
      }
      for (const queue of byQueue.keys()) this.#engine.notes.touch(queue);
    }
    await this.#addLater(later);
    const args = [handles.length, handles[0] ?? "", handles.at(-1) ?? ""];
    const remove = (one: Operation) => one.run(scripts.removeDue, [listOf(one, slot)], args);
    await this.#lists.run(this.#engine.begin(), tag, remove);
    return expired;
  }

  /** Adds sessions to the lists of their times. If a list cannot be written, adds its sessions to the next one that can. */
  async #addLater(sessions: readonly Due[]): Promise<void> {
    let due = sessions;
    for (let attempt = 0; due.length > 0; attempt++) {
      const operation = this.#engine.begin();
      if (attempt === sessionTags.length) {
        throw refusal(operation, new RedisFault("", "no node takes the sessions that expire later"));
      }
      const byTag = Map.groupBy(due, ({ at }) => tagOfDue(operation, at));
      const left = await Promise.all(
        Array.from(byTag, async ([tag, some]) => {
          const isAdded = await this.#lists.run(operation, tag, (one) => addDue(one, some).then(() => true));
          const next = ({ handle, at }: Due) => ({ handle, at: Math.max(at, operation.now) + SLOT_MS });
          return isAdded === true ? [] : some.map(next);
        }),
      );
      due = left.flat();
    }
  }
}

interface Candidate {
  readonly handle: string;
  readonly createdAt: number;
}

/** Runs `scripts/expire-sessions.lua` for sessions whose notes have this queue. Returns a number for each. */
async function expireSessions(
  operation: Operation,
  queue: string,
  due: readonly Candidate[],
  now: number,
): Promise<number[]> {
  const names = due.flatMap(({ handle }) => sessionKeys(operation, handle));
  const [, , ...policy] = sessionArgs(operation, due[0]?.handle ?? "");
  const args = [now, 0, ...policy, ...due.map(({ createdAt }) => createdAt)];
  return (await operation.prepare(scripts.expireSessions, [...names, queue], args)) as number[];
}
