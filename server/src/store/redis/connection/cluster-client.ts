import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "./client-port.ts";
import { type ClusterMap, readClusterMap } from "./cluster-map.ts";
import { type Carrier, type Redirect, TimedCommand } from "./command.ts";
import { faultOf, faultOfNodes, RedisFault } from "./faults.ts";
import { type NewConnection, NodeClient, type NodeEvents, type NodeOptions } from "./node-client.ts";
import { NodeConnection } from "./node-connection.ts";
import type { Address } from "./place.ts";
import { check } from "./ready-check.ts";
import { SLOTS, slotOf } from "./slots.ts";

/** Maximum number of redirections of a command; nodes that disagree about a slot could send it around for ever. */
const MAX_REDIRECTIONS = 8;
/** Minimum time (ms) between two reads of the map. */
const REFRESH_PAUSE_MS = 100;
/** Maximum time (ms) to wait for one node while others may be usable. */
const MAX_WAIT_MS = 1000;

/**
 * A client of a cluster. It has a connection to each primary, and a map of the slots. The map is read again when a node
 * redirects a command, when a connection is lost or cannot be made, and at each heartbeat. The client is ready from the
 * time when it has read the map of a working cluster and has connected to a primary, until it has lost all connections.
 */
export class ClusterClient implements Client {
  readonly #options: NodeOptions;
  readonly #events: NodeEvents;
  /** The configured addresses. They may be names that lead to other nodes by now. */
  readonly #seeds: readonly Address[];
  /** Addresses of all nodes in the map, also of replicas. */
  #known: readonly Address[] = [];
  /** Clients by addresses: of the primaries in the map, and of nodes to which commands were redirected since. */
  readonly #nodes = new Map<string, NodeClient>();
  /** The clients of the primaries in the map. */
  #primaries: ReadonlyMap<string, NodeClient> = new Map();
  /** The client of the node that serves each slot. */
  readonly #slots: (NodeClient | undefined)[] = Array.from({ length: SLOTS });
  /** Clients to whose nodes commands were redirected since the map was read. */
  readonly #redirected = new Set<NodeClient>();
  /** Epoch of the map. A node with a lower one was cut off from the others, and has an older map. */
  #epoch = -1;
  #isReady = false;
  #isClosed = false;
  #isRefreshing = false;
  #isRefreshDue = false;
  #reads = 0;
  #timer: NodeJS.Timeout | undefined;
  #inspect: ((connection: NewConnection) => Promise<void>) | undefined;

  constructor(seeds: readonly Address[], options: NodeOptions, events: NodeEvents) {
    this.#seeds = seeds;
    this.#options = options;
    this.#events = events;
    this.refresh();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  send(command: TimedCommand, key: string): void {
    const node = this.nodeOf(key);
    command.redirect = this.#redirect;
    if (node !== undefined) node.send(command);
    else {
      command.reject(new RedisFault("CLUSTERDOWN", "no node of the cluster serves the slot"));
      this.refresh();
    }
  }

  nodeOf(key: string): NodeClient | undefined {
    return this.#slots[slotOf(key)];
  }

  primaries(): ReadonlyMap<string, NodeClient> {
    return this.#primaries;
  }

  refresh(): void {
    this.#isRefreshDue = true;
    if (this.#isRefreshing || this.#isClosed) return;
    this.#isRefreshing = true;
    this.#isRefreshDue = false;
    void this.#update().finally(() => {
      if (this.#isClosed) return;
      this.#timer = setTimeout(() => {
        this.#isRefreshing = false;
        if (this.#isRefreshDue || !this.#isReady) this.refresh();
      }, REFRESH_PAUSE_MS);
    });
  }

  // A replica in a cluster redirects to its primary.
  leave(_carrier: Carrier | undefined): void {
    this.refresh();
  }

  inspectConnections(inspect: (connection: NewConnection) => Promise<void>): void {
    this.#inspect = inspect;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const node of this.#nodes.values()) node.close();
  }

  /** Follows `MOVED` and `ASK`. */
  readonly #redirect: Redirect = (command, { text }, from) => {
    const [, kind, slot, host, port] = /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(text) ?? [];
    if (kind === undefined) return false;
    if (++command.redirections > MAX_REDIRECTIONS) {
      command.reject(new RedisFault("TRYAGAIN", "TRYAGAIN: the nodes of the cluster disagree about a slot", true));
      return true;
    }
    // A node that does not know its own address leaves the host out.
    const node = this.#nodeAt({ host: host === "" ? from.address.host : String(host), port: Number(port) });
    this.#redirected.add(node);
    if (kind === "MOVED") {
      this.#slots[Number(slot)] = node;
      this.refresh();
    }
    if (node.isReady) sendTo(node, command, kind === "ASK");
    else void this.#sendLater(node, command, kind === "ASK");
    return true;
  };

  /** Sends a command when the attempt to connect to its node is over. */
  async #sendLater(node: NodeClient, command: TimedCommand, isAsking: boolean): Promise<void> {
    const timer = setTimeout(() => command.expire(), Math.max(0, command.deadline - performance.now()));
    await node.settled();
    clearTimeout(timer);
    if (!command.isSettled) sendTo(node, command, isAsking);
  }

  #nodeAt(address: Address): NodeClient {
    const name = nameOf(address);
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    const node = new NodeClient(() => Promise.resolve(address), this.#options, {
      connected: async (connection) => this.#inspect?.(connection),
      ready: () => undefined,
      failed: () => {
        if (![...this.#nodes.values()].some(({ isReady }) => isReady)) this.#isReady = false;
        this.refresh();
      },
    });
    this.#nodes.set(name, node);
    return node;
  }

  /** Reads the map and uses it. */
  async #update(): Promise<void> {
    let fault = new RedisFault("", "no node answers");
    try {
      const map = await this.#readMap();
      if (this.#isClosed) return;
      this.#use(map);
      if (this.#isReady) return;
      const nodes = [...this.#primaries.values()];
      const settled = Promise.all(nodes.map((node) => node.settled()));
      // A node that is loading its data, or is silent, must not keep the others from being used.
      await Promise.race([settled, delay(MAX_WAIT_MS, undefined, { ref: false })]);
      if (nodes.some(({ isReady }) => isReady)) {
        this.#isReady = true;
        this.#events.ready();
        return;
      }
      fault = nodes.at(-1)?.fault ?? fault;
    } catch (error) {
      fault = faultOf(error);
    }
    if (!this.#isReady && !this.#isClosed) this.#events.failed(faultOfNodes(fault));
  }

  /**
   * Reads the map from the first node that has a current one. If all maps are older than the one in use, returns the
   * newest: the cluster may have been created anew. Rejects if no node has a map of a working cluster.
   */
  async #readMap(): Promise<ClusterMap> {
    let newest: ClusterMap | undefined;
    let fault: RedisFault | undefined;
    for (const read of this.#sources()) {
      try {
        const map = await read();
        if (newest === undefined || map.epoch > newest.epoch) newest = map;
        if (map.epoch >= this.#epoch) return map;
      } catch (error) {
        fault = faultOf(error);
      }
      if (this.#isClosed) break;
    }
    if (newest !== undefined) return newest;
    throw fault ?? new RedisFault("", "no node answers");
  }

  /** Returns functions that read the map: from a connected node, or else by a connection for this purpose. */
  #sources(): (() => Promise<ClusterMap>)[] {
    const ready = [...this.#nodes.values()].filter(({ isReady }) => isReady);
    if (ready.length === 0) {
      const addresses = new Map([...this.#seeds, ...this.#known].map((address) => [nameOf(address), address]));
      return [...addresses.values()].map((address) => () => this.#readFrom(address));
    }
    // Begins with another node each time, because a node may be silent or cut off.
    const first = this.#reads++ % ready.length;
    const nodes = [...ready.slice(first), ...ready.slice(0, first)];
    return nodes.map((node) => () => readClusterMap(node, node.connection?.address.host ?? ""));
  }

  async #readFrom(address: Address): Promise<ClusterMap> {
    const connection = new NodeConnection(address, this.#options.tls?.());
    const timer = setTimeout(() => connection.destroy(), MAX_WAIT_MS);
    try {
      await check(connection, this.#options);
      return await readClusterMap(connection, address.host);
    } finally {
      clearTimeout(timer);
      connection.destroy();
    }
  }

  #use({ epoch, ranges, nodes }: ClusterMap): void {
    this.#epoch = epoch;
    this.#known = nodes;
    const primaries = new Map<string, NodeClient>();
    this.#slots.fill(undefined);
    for (const { first, last, primary } of ranges) {
      const node = this.#nodeAt(primary);
      primaries.set(nameOf(primary), node);
      this.#slots.fill(node, first, last + 1);
    }
    this.#primaries = new Map([...primaries].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    for (const [name, node] of this.#nodes) {
      if (primaries.has(name) || this.#redirected.has(node)) continue;
      this.#nodes.delete(name);
      node.retire();
    }
    this.#redirected.clear();
  }
}

function sendTo(node: NodeClient, command: TimedCommand, isAsking: boolean): void {
  if (isAsking) {
    const asking = new TimedCommand(["asking"], command.deadline);
    asking.reply.catch(() => undefined);
    node.send(asking);
  }
  node.send(command);
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`;
}
