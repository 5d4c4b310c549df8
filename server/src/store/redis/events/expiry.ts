import { timeAndCount } from "../../../session/id.ts";
import { ExpiryPace } from "../../expiry-pace.ts";
import type { PurgeResult } from "../../ports/lifecycle.ts";
import type { Engine, Operation } from "../engine.ts";
import { tagIn } from "../layout/key-names.ts";
import { FailingShards } from "../notes/failing-shards.ts";
import { scripts } from "../scripts/scripts.ts";
import { sessionArgs, sessionKeys } from "../sessions/session-scripts.ts";
import { addDue, type Due, lastEnded, listOf } from "./due-lists.ts";

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

/** Works the lists of due sessions off (`due-lists.ts`), slot by slot. One process at a time does this. */
export class Expiry {
  readonly #engine: Engine;
  /** The slot before which all lists are worked off, as it is stored; `undefined` if this process has not read it. */
  #stored: number | undefined;
  /** The next slot to look at in this round. */
  #next = 0;
  readonly #pace = new ExpiryPace();
  /** The shards whose sessions cannot be examined. They are due again later, so that all others need not wait for them. */
  readonly #shards: FailingShards;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#shards = new FailingShards(engine);
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
    const { keys } = operation;
    // The first slot that has not ended.
    const current = lastEnded(now) + 1;
    if (this.#stored === undefined) {
      this.#stored = Number(await operation.command("hget", keys.eventState, "due")) || current;
      this.#next = this.#stored - LOOK_BACK;
    }
    const end = Math.min(current, this.#next + SLOTS);
    const slots = Array.from({ length: Math.max(0, end - this.#next) }, (_, i) => this.#next + i);
    const lengths = await Promise.all(slots.map((slot) => operation.command("llen", listOf(operation, slot))));
    const due = slots.flatMap((slot, i) => (Number(lengths[i]) > 0 ? [{ slot, sessions: Number(lengths[i]) }] : []));
    const [first] = due;
    if (first !== undefined) {
      this.#next = first.slot;
      return {
        expired: await this.#examine(operation, first.slot, this.#pace.next(due, now), now),
        isExpiring: true,
        hasMore: true,
      };
    }
    this.#pace.rest();
    this.#next = end;
    if (end > this.#stored) {
      await operation.command("hset", keys.eventState, "due", end);
      this.#stored = end;
    }
    const hasMore = end < current;
    if (!hasMore) this.#next = current - LOOK_BACK;
    return { expired: 0, isExpiring: false, hasMore };
  }

  /** Examines the first `count` handles of the list of a slot, and removes them. Returns how many have expired. */
  async #examine(operation: Operation, slot: number, count: number, now: number): Promise<number> {
    const handles = (await operation.command("lrange", listOf(operation, slot), 0, count - 1)) as string[];
    const due = [...new Set(handles)].map((handle) => ({ handle, createdAt: timeAndCount(handle).createdAt }));
    const later: Due[] = [];
    let expired = 0;
    // One small part after the other, so that requests have their turn in this process and in Redis.
    for (let from = 0; from < due.length; from += SESSIONS_PER_SCRIPT) {
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
    await addDue(operation, later);
    const bounds = [handles[0] ?? "", handles.at(-1) ?? ""];
    await operation.run(scripts.removeDue, [listOf(operation, slot)], [handles.length, ...bounds]);
    return expired;
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
