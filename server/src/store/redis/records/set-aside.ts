import { timeAndCount } from "../../../session/id.ts";
import { mayHaveSetAside, SET_ASIDE_MS } from "../../../session/provisional.ts";
import type { Session } from "../../../session/session.ts";
import type { SetAsideRequest, SetAsideResult } from "../../ports/records.ts";
import { lineOf } from "../../record-line.ts";
import { SetAsideEntries, type SetAsideEntry } from "../../set-aside.ts";
import type { Engine, Operation } from "../engine.ts";
import { newNonce } from "../layout/nonce.ts";
import { scripts } from "../scripts/scripts.ts";
import { sessionArgs, sessionKeys } from "../sessions/session-scripts.ts";
import type { RecordQueue } from "./record-queue.ts";

/** Lifetime (ms) of a record that is set aside, in case that the process that would delete it has ended. */
const KEY_LIFE = SET_ASIDE_MS + 10_000;

/**
 * Sets records aside in Redis (contract.md#provisional-records), where every process finds them. The process that has
 * set a record aside deletes it when its time is over, and reports it as dropped unless it was stored meanwhile.
 */
export class SetAsideRecords {
  readonly #engine: Engine;
  readonly #queue: RecordQueue;
  readonly #entries: SetAsideEntries<SetAsideEntry>;

  constructor(engine: Engine, queue: RecordQueue) {
    this.#engine = engine;
    this.#queue = queue;
    this.#entries = new SetAsideEntries((handle) => void this.#drop(handle).catch(() => undefined));
  }

  /** Number of records that this process has set aside; some of them may have been stored meanwhile. */
  get size(): number {
    return this.#entries.size;
  }

  async add({ session: { handle }, record, now, idempotent }: SetAsideRequest): Promise<SetAsideResult> {
    const line = lineOf(record);
    return await this.#engine.change(now, async (operation) => {
      await this.#queue.flush(operation, handle);
      const queue = operation.engine.queueOf(handle);
      const names = [...sessionKeys(operation, handle), operation.keys.setAside(handle), queue];
      const { key = newNonce(), fingerprint = "" } = idempotent ?? {};
      const args = [...sessionArgs(operation, handle), KEY_LIFE, key, fingerprint, line];
      const reply = await operation.run(scripts.setAside, names, args);
      if (reply === "repeated" || reply === "key-reused") return reply;
      if (reply === "set-aside") this.#entries.set(handle, { at: now, characters: line.length });
      this.#engine.notes.take(queue, reply);
      return "accepted";
    });
  }

  /** Queues the storing of the record that is set aside for the session, if `find` has seen one. */
  store(session: Session, now: number): void {
    if (this.#engine.setAside.delete(session)) this.#queue.enqueueSetAside(session.handle, now);
  }

  /**
   * Stores the record that may be set aside for a session. Returns at once if the session is older than any that can
   * have one.
   */
  async storeNow(operation: Operation, handle: string): Promise<void> {
    if (!mayHaveSetAside(timeAndCount(handle).createdAt, operation.now)) return;
    this.#queue.enqueueSetAside(handle, operation.now);
    await this.#queue.flush(operation, handle);
  }

  removeOverdue(now: number): void {
    this.#entries.removeOverdue(now);
  }

  async #drop(handle: string): Promise<void> {
    const operation = this.#engine.begin();
    const name = operation.keys.setAside(handle);
    const [text] = await Promise.all([operation.command("get", name), operation.command("del", name)]);
    if (hasRecord(text)) this.#engine.options.events.recordsDropped(1);
  }
}

/** Returns whether a value of the key `setAside` has a record, and not only the idempotency key of a stored one. */
export function hasRecord(text: unknown): boolean {
  return typeof text === "string" && !text.endsWith("\n");
}
