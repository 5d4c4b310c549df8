import { setTimeout as delay } from "node:timers/promises";
import { safeMessage } from "../../../logging/safe-error.ts";
import { Refusal } from "../../../session/errors.ts";
import { readOwnSlots } from "../connection/cluster-map.ts";
import type { Carrier } from "../connection/command.ts";
import { RedisFault } from "../connection/faults.ts";
import type { NodeClient } from "../connection/node-client.ts";
import { slotOf } from "../connection/slots.ts";
import type { Engine, Operation } from "../engine.ts";
import { type DueRepair, noteRepair, readDueRepair } from "../globals/due-repair.ts";
import type { Lease } from "../globals/lease.ts";
import { SAME_LOSS } from "../globals/shard-watch.ts";
import { shardTags } from "../layout/shards.ts";
import { reindex } from "./reindex.ts";

/*
 * Repairs the indexes after shards of a cluster have lost their data: entries about sessions in other shards were lost with
 * them. Goes through all sessions that are left, and writes the entries of each again that belong into a shard that has
 * lost its data (docs/decisions/0091-repair-of-indexes.md). One process at a time does it, that with the lease. The states of
 * a shard of sessions since the last loss:
 *
 *   open --its node was scanned from begin to end, and had all of its keys--> done
 *   done --another loss--> open
 *
 * The store has the shards that are done, so another process continues after them. The position in the scan of a node is
 * known only to the process that scans, since it is valid only as long as the node runs.
 */

/** Time (ms) between two looks for something to do, and between a failure and the next attempt. */
const PAUSE = 2000;
/** Approximate number of keys that one SCAN examines, which blocks Redis for some 100 us. */
const KEYS_PER_SCAN = 512;

const slotOfTag: ReadonlyMap<string, number> = new Map(shardTags.map((tag) => [tag, slotOf(`{${tag}}`)]));

/** A scan of the keys of a node. */
interface Scan {
  readonly repair: DueRepair;
  readonly node: NodeClient;
  /** Connection at the begin. If it is another one later, the node may have been restarted. */
  readonly carrier: Carrier | undefined;
  /** The open shards of which the node had all keys at the begin. */
  readonly tags: ReadonlySet<string>;
  cursor: string;
}

export class IndexRepair {
  readonly #engine: Engine;
  readonly #lease: Lease;
  #scan: Scan | undefined;
  /** Time of the loss whose repair this process has logged last. */
  #logged = 0;
  #lastFault = "";
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  #working = Promise.resolve();

  constructor(engine: Engine, lease: Lease) {
    this.#engine = engine;
    this.#lease = lease;
    if (!engine.connection.isOneServer && engine.options.purpose === "serve") this.#workLater();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#working;
  }

  #workLater(): void {
    this.#timer = setTimeout(() => {
      this.#working = this.#work().finally(() => {
        if (!this.#isClosed) this.#workLater();
      });
    }, PAUSE);
  }

  /** Works until there is nothing to do now. */
  async #work(): Promise<void> {
    if (this.#engine.losses.toRepair === 0) return;
    try {
      for (;;) {
        const begun = performance.now();
        if (this.#isClosed || !(await this.#step())) return;
        this.#lastFault = "";
        // Requests have half of the time for themselves.
        await delay(Math.min(PAUSE, performance.now() - begun));
      }
    } catch (error) {
      this.#report(error);
    }
  }

  /** Makes a small part of the repair. Returns whether there is more to do now. */
  async #step(): Promise<boolean> {
    const { losses } = this.#engine;
    const operation = this.#engine.begin();
    const serverTime = await this.#lease.take(operation);
    if (serverTime === 0 || serverTime - losses.lostAt < SAME_LOSS) {
      this.#scan = undefined;
      return false;
    }
    const scan = this.#scan;
    if (scan === undefined || scan.repair.lostAt < losses.lostAt || !this.#isContinuable(scan)) {
      this.#scan = await this.#begin(operation);
      return this.#scan !== undefined;
    }
    await this.#continue(operation, scan);
    return true;
  }

  /**
   * Returns whether the node of a scan is still a primary, and was not restarted. The connection of a node that has become
   * a replica is closed and never replaced.
   */
  #isContinuable({ node, carrier }: Scan): boolean {
    const primaries = [...this.#engine.connection.primaries().values()];
    return primaries.includes(node) && node.connection === carrier;
  }

  /** Begins to scan the next node that has all keys of an open shard; returns `undefined` if there is none. */
  async #begin(operation: Operation): Promise<Scan | undefined> {
    const repair = await readDueRepair(operation);
    if (repair === undefined) return undefined;
    if (this.#logged !== repair.lostAt) {
      this.#logged = repair.lostAt;
      this.#notice(
        `Writing the index entries again that ${repair.lacking.size} of ${shardTags.length} shards have lost.`,
      );
    }
    for (const node of this.#engine.connection.primaries().values()) {
      if (!node.isReady) continue;
      const carrier = node.connection;
      const tags = (await this.#tagsOf(node)).difference(repair.done);
      if (tags.size > 0) return { repair, node, carrier, tags, cursor: "0" };
    }
    throw new RedisFault("", "a node of the cluster does not respond, or a slot is being moved");
  }

  async #continue(operation: Operation, scan: Scan): Promise<void> {
    const { repair, node, carrier } = scan;
    const args = [scan.cursor, "MATCH", operation.keys.stored, "COUNT", KEYS_PER_SCAN];
    const reply = await this.#engine.connection.query(node, "scan", ...args);
    const [cursor, names] = reply as [string, string[]];
    await reindex(operation, names, repair);
    // The keys of a slot that is being moved may have been on either node, so its shard stays open.
    const tags = cursor === "0" ? scan.tags.intersection(await this.#tagsOf(node)) : undefined;
    if (node.connection !== carrier) return;
    scan.cursor = cursor;
    if (tags === undefined) return;
    this.#scan = undefined;
    const done = await noteRepair(this.#engine.begin(), repair.lostAt, tags);
    if (done === shardTags.length) {
      this.#notice(
        "The index entries that were lost are written again: lists, exports and erasures find all sessions.",
      );
    } else if (done > 0)
      this.#notice(`The index entries of the sessions in ${done} of ${shardTags.length} shards are written again.`);
  }

  /** Returns the tags of the shards whose slots a node serves, and that are not being moved. */
  async #tagsOf(node: NodeClient): Promise<ReadonlySet<string>> {
    const slots = await readOwnSlots((name, ...args) => this.#engine.connection.query(node, name, ...args));
    return new Set(shardTags.filter((tag) => slots.has(slotOfTag.get(tag) as number)));
  }

  #notice(message: string): void {
    this.#engine.options.events.noticed("info", message);
  }

  /** Logs why the repair cannot continue, once. */
  #report(error: unknown): void {
    const message = safeMessage(error instanceof Refusal ? (error.cause ?? error) : error);
    if (message === this.#lastFault) return;
    this.#lastFault = message;
    const text = `The index entries that were lost cannot be written again now, which is tried every 2 s: ${message}`;
    this.#engine.options.events.noticed("warn", text);
  }
}
