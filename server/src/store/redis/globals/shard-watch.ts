import { setTimeout as delay } from "node:timers/promises";
import type { Carrier } from "../connection/command.ts";
import { faultOf, RedisFault } from "../connection/faults.ts";
import type { NewConnection, NodeClient } from "../connection/node-client.ts";
import type { Engine } from "../engine.ts";
import { shardTags } from "../layout/shards.ts";
import { scripts } from "../scripts/scripts.ts";
import { readLosses } from "./due-repair.ts";
import { type LossKind, lifeOfLosses } from "./shard-losses.ts";
import { noteMarkedShards, type Pulse } from "./store-state.ts";

/*
 * Notices that a primary of a cluster has lost its data (docs/decisions/0086-lost-shards.md). Each shard has a marker: a
 * key in its slot that never expires, with the identity of the store and a time that is advanced every minute. While not
 * all shards have one, missing markers are set. When all have had one for a while, a missing marker is a loss. The states
 * of a shard:
 *
 *   unchecked --marker is there--> intact --its node or the connection to it is another one--> unchecked
 *   unchecked, intact --marker is missing or older, in two readings in a row--> lost
 *   lost --loss is stored, marker is set again--> unchecked
 *
 * One shard of each primary is read in turn, as a primary usually loses all of its shards. The others are read when one is
 * missing. Readings are sent once, and fail silently: what prevents them also prevents requests, which report it.
 */

/** Number of heartbeats between two readings of a shard of each primary. */
const HEARTBEATS_PER_READING = 2;
/** Time (ms) after which the time of a marker is advanced. A failover loses at most one such change. */
const ADVANCE_AFTER = 60_000;
/** Time (ms) for which all markers must have been there before a missing one is a loss: replicas have them by then. */
const SETTLING_TIME = 10_000;
/**
 * Time (ms) during which reports about a shard mean the same loss: processes notice it within a few seconds. What the
 * repair of the indexes writes in this time could get lost by another loss that counts as the same.
 */
export const SAME_LOSS = 5000;
/** Number of readings in a row after which a shard is lost. The map of the cluster is read again between them. */
const READINGS = 2;
/** Maximum time (ms) to wait for the markers on a new connection, and time between two attempts. */
const INSPECTION_TIME = 5000;
const INSPECTION_PAUSE = 50;
/** Number of characters of the hash of the oldest secret that identify the store in a marker. */
const IDENTITY_CHARACTERS = 10;

interface Shard {
  readonly tag: string;
  /** Key name of the marker. */
  readonly marker: string;
  /** Connection on which the marker was read last; `undefined` if it must be read again. */
  carrier: Carrier | undefined;
  /** The latest time (Unix ms) in the marker, and the one before it, as far as this process has read them; 0 if not. */
  latest: number;
  previous: number;
  fault: LossKind | undefined;
  /** Number of readings in a row that have found the fault. */
  readings: number;
  /** Whether the loss is stored, and the marker not set yet. */
  isReported: boolean;
}

/** Checks the markers of the shards, at each heartbeat some of them. */
export class ShardWatch {
  readonly #engine: Engine;
  readonly #shards: readonly Shard[];
  /** Time of the last loss that this process knows, on the clock of Redis. */
  #lostAt = 0;
  /** Time on the clock of Redis at which a marker was last set while not all shards had one; 0 before the first check. */
  #markedAt = 0;
  /** Whether all shards have had markers at the last heartbeat, so that a missing one is a loss. */
  #isMarked = false;
  #heartbeats = 0;
  #checking: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#shards = shardTags.map((tag) => ({
      ...{ tag, marker: engine.keys.marker(tag), carrier: undefined },
      ...{ latest: 0, previous: 0, fault: undefined, readings: 0, isReported: false },
    }));
    engine.connection.inspectConnections(this.#inspect);
  }

  /** Whether a loss was noticed and is not stored yet. */
  get isAlarmed(): boolean {
    return this.#isMarked && this.#shards.some(({ fault, isReported }) => fault !== undefined && !isReported);
  }

  /** Reads the losses that were stored earlier. */
  async start({ serverTime, lostAt, repair, isMarked }: Pulse): Promise<void> {
    this.#isMarked = isMarked;
    this.#engine.losses.advance(serverTime, repair);
    if (lostAt > 0) this.#engine.losses.replace(await readLosses(this.#engine.begin()), lostAt);
    this.#lostAt = lostAt;
  }

  /** Reads and logs the losses that this or another process has stored since the last heartbeat. */
  async follow({ serverTime, lostAt, repair }: Pulse): Promise<void> {
    const { losses, options } = this.#engine;
    losses.advance(serverTime, repair);
    if (lostAt === this.#lostAt) return;
    const added = losses.replace(await readLosses(this.#engine.beginCheck()), this.#lostAt);
    this.#lostAt = lostAt;
    for (const [kind, tags] of added) {
      const shards = this.#shards.filter(({ tag }) => tags.includes(tag));
      options.events.noticed("error", messages[kind](shareOf(shards), this.#addressesOf(shards)));
      for (const shard of shards) {
        uncheck(shard);
        shard.isReported = true;
        // The marker is set again, perhaps with an earlier time than those that this process has read.
        shard.latest = 0;
        shard.previous = 0;
      }
    }
  }

  /**
   * Reads the markers of a node on a new connection to it. If the node has lost its data, no id of a lost session opens an
   * anonymous one until the loss is stored.
   */
  readonly #inspect = async (connection: NewConnection): Promise<void> => {
    if (!this.#isMarked) return;
    const own = this.#shards.filter(({ marker }) => this.#engine.connection.nodeOf(marker)?.connection === connection);
    const end = performance.now() + INSPECTION_TIME;
    for (let left = own; left.length > 0 && performance.now() < end; ) {
      const markers = await Promise.all(left.map(({ marker }) => connection.call("get", marker).catch(faultOf)));
      for (const [i, shard] of left.entries()) if (markers[i] === null) this.#suspect(shard);
      // A node that was restarted takes no commands for two seconds.
      left = left.filter((_, i) => (markers[i] as RedisFault | null)?.code === "CLUSTERDOWN");
      if (left.length > 0) await delay(INSPECTION_PAUSE);
    }
  };

  #suspect({ tag }: Shard): void {
    const { losses, latest, options } = this.#engine;
    losses.suspect(tag, Math.max(latest, options.wall()));
  }

  /** Begins to check some shards, unless a check is in progress: a node that does not respond delays no heartbeat. */
  check({ serverTime, isMarked }: Pulse, storeIdentity: string): void {
    const { connection, options, admission } = this.#engine;
    if (connection.isOneServer || options.purpose !== "serve") return;
    this.#isMarked = isMarked;
    const identity = storeIdentity.slice(0, IDENTITY_CHARACTERS);
    this.#checking ??= this.#checkNow(identity, serverTime, isMarked)
      .catch((error: unknown) => {
        // Other errors were reported where they occurred. The next heartbeat tries again.
        if (error instanceof RedisFault) admission.failed(error);
      })
      .finally(() => {
        this.#checking = undefined;
      });
  }

  async close(): Promise<void> {
    await this.#checking;
  }

  async #checkNow(identity: string, serverTime: number, isMarked: boolean): Promise<void> {
    const nodes = this.#readyNodes();
    const due = this.#dueShards(nodes);
    await Promise.all(due.map(([shard, node]) => this.#read(shard, node, identity, serverTime)));
    if (isMarked) await this.#reportLosses(nodes, identity, serverTime);
    else await this.#setMissing(nodes, identity, serverTime);
  }

  /** Returns the nodes of the shards that can be read now. Shards whose connection is another one become unchecked. */
  #readyNodes(): ReadonlyMap<Shard, NodeClient> {
    const nodes = new Map<Shard, NodeClient>();
    for (const shard of this.#shards) {
      const node = this.#engine.connection.nodeOf(shard.marker);
      if (node?.isReady === true) nodes.set(shard, node);
      if (node?.isReady !== true || node.connection !== shard.carrier) uncheck(shard);
    }
    return nodes;
  }

  /** Returns the shards to read now: those that are unchecked or suspected, and now and then one of each node. */
  #dueShards(nodes: ReadonlyMap<Shard, NodeClient>): [Shard, NodeClient][] {
    const all = [...nodes];
    const due = all.filter(([{ carrier, fault }]) => carrier === undefined || fault !== undefined);
    const round = this.#heartbeats++ / HEARTBEATS_PER_READING;
    if (!Number.isInteger(round)) return due;
    const inTurn = [...Map.groupBy(all, ([, node]) => node).values()].map((some) => some[round % some.length]);
    return [...new Set([...due, ...inTurn.filter((one) => one !== undefined)])];
  }

  /** Reads the marker of a shard, and advances it if its time is old. */
  async #read(shard: Shard, node: NodeClient, identity: string, serverTime: number): Promise<void> {
    const carrier = node.connection;
    let marker: unknown;
    try {
      marker = await this.#engine.connection.query(node, "get", shard.marker);
    } catch {
      // The node does not respond, or its slot is being moved.
      uncheck(shard);
      return;
    }
    shard.carrier = carrier;
    const time = timeIn(marker, identity);
    const fault = time === undefined ? "gone" : time < shard.previous ? "older" : undefined;
    shard.readings = fault !== undefined && fault === shard.fault ? shard.readings + 1 : 1;
    shard.fault = fault;
    if (fault === "gone" && this.#isMarked) this.#suspect(shard);
    if (time === undefined || fault !== undefined) return;
    shard.isReported = false;
    if (time > shard.latest) [shard.previous, shard.latest] = [shard.latest, time];
    if (serverTime - time < ADVANCE_AFTER) return;
    const next = markerOf(identity, serverTime);
    await this.#send(node, "eval", scripts.advanceMarker.source, 1, shard.marker, String(marker), next);
  }

  /** Sets the markers that are missing in a store that has not had all of them yet. Stores when it has. */
  async #setMissing(nodes: ReadonlyMap<Shard, NodeClient>, identity: string, serverTime: number): Promise<void> {
    const missing = this.#shards.filter(({ fault }) => fault !== undefined);
    if (missing.length > 0 || this.#markedAt === 0) this.#markedAt = serverTime;
    await this.#setMarkers(missing, nodes, identity, serverTime);
    const isComplete = this.#shards.every(({ carrier }) => carrier !== undefined);
    if (!isComplete || serverTime - this.#markedAt < SETTLING_TIME) return;
    await noteMarkedShards(this.#engine.beginCheck());
  }

  /** Stores the losses that are certain, then sets the markers again. */
  async #reportLosses(nodes: ReadonlyMap<Shard, NodeClient>, identity: string, serverTime: number): Promise<void> {
    const suspects = this.#shards.filter(({ fault }) => fault !== undefined);
    if (suspects.some(({ readings }) => readings < READINGS)) {
      // The other shards of the same nodes may be lost as well, and belong into the same report.
      const suspected = new Set(suspects.map((shard) => nodes.get(shard)));
      for (const [shard, node] of nodes) if (suspected.has(node) && shard.fault === undefined) uncheck(shard);
      return;
    }
    const { keys, policy } = this.#engine;
    const lifetime = lifeOfLosses(policy.lifetimes.anonymous.idle);
    const unreported = suspects.filter(({ isReported }) => !isReported);
    for (const [kind, some] of Map.groupBy(unreported, ({ fault }) => fault as LossKind)) {
      const args = [kind, SAME_LOSS, lifetime, this.#shards.length, ...some.map(({ tag }) => tag)];
      const names = [keys.state, keys.losses, keys.eventState];
      await this.#engine.beginCheck().change(scripts.recordLosses, names, args);
      for (const shard of some) shard.isReported = true;
    }
    await this.#setMarkers(suspects, nodes, identity, serverTime);
  }

  async #setMarkers(
    shards: readonly Shard[],
    nodes: ReadonlyMap<Shard, NodeClient>,
    identity: string,
    serverTime: number,
  ): Promise<void> {
    const marker = markerOf(identity, serverTime);
    await Promise.all(
      shards.map(async (shard) => {
        const node = nodes.get(shard);
        if (node !== undefined) await this.#send(node, "set", shard.marker, marker);
        uncheck(shard);
      }),
    );
  }

  /** Sends a command once. Whether it succeeds is seen in the next reading. */
  async #send(node: NodeClient, name: string, ...args: (string | number)[]): Promise<void> {
    await this.#engine.connection.query(node, name, ...args).catch(() => undefined);
  }

  #addressesOf(shards: readonly Shard[]): string {
    const addresses = shards.map(({ marker }) => this.#engine.connection.nodeOf(marker)?.connection?.address);
    const texts = addresses.map((address) => (address === undefined ? "?" : `${address.host}:${address.port}`));
    return [...new Set(texts)].toSorted().join(", ");
  }
}

function uncheck(shard: Shard): void {
  shard.carrier = undefined;
  shard.fault = undefined;
  shard.readings = 0;
}

function markerOf(identity: string, time: number): string {
  return `${identity} ${time}`;
}

/** Returns the time in a marker, Unix ms; `undefined` if the marker is missing or that of another store. */
function timeIn(marker: unknown, identity: string): number | undefined {
  if (typeof marker !== "string" || !marker.startsWith(`${identity} `)) return undefined;
  return Number(marker.slice(identity.length + 1));
}

function shareOf(shards: readonly Shard[]): string {
  const percent = Math.round((100 * shards.length) / shardTags.length);
  return `${shards.length} of ${shardTags.length} shards in Redis (${percent} % of the sessions)`;
}

const messages = {
  gone: (share: string, nodes: string) =>
    `the data of ${share} is gone, now served by ${nodes}: a node came back without its files or was flushed, keys were evicted, or slots were assigned without their keys. Requests are served on: ids of the lost sessions lead to new sessions. Lists miss some sessions until the lost index entries are written again, which begins by itself; exports, erasures and ends of many sessions are refused until then. Give each primary a replica and appendonly yes; docs/operating.md says what else to do`,
  older: (share: string, nodes: string) =>
    `the data of ${share}, now served by ${nodes}, is an older copy (a restored dump, or a failover to a replica that was minutes behind): changes since then are lost, and ended sessions and erased customers may be back; end and erase them again when the index entries are written again, which begins by itself`,
} as const satisfies Record<LossKind, unknown>;
