import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { checkEachConnection } from "./ready-check.ts";

/** Where Redis is and how to get in. */
export interface RedisPlace {
  readonly kind: "single" | "cluster" | "sentinel";
  /** The server, or some of a cluster's nodes, or the sentinels. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** The name under which the sentinels know the primary. */
  readonly name: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** The number of the database; 0 on a cluster. */
  readonly database: number;
  /** What the sentinels themselves are asked with; `undefined`: nothing. */
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
  readonly isTls: boolean;
  /** A file with the certificates to trust; `undefined`: those of the system. */
  readonly caFile: string | undefined;
}

type Options = Omit<RedisOptions, "replyMapping">;

/** The library's client. */
export type Client = Redis | Cluster;

/** Milliseconds. */
const CONNECT_TIMEOUT = 1000;
/** A connection on which commands wait for so long is broken, though nobody has told. */
const SILENCE = 5000;
const pause = (attempt: number) => Math.min(50 * attempt, 500);

/** A client that connects when it is told to. It goes on connecting until it is closed. */
export function createClient(place: RedisPlace): Client {
  const tls = tlsOf(place);
  const common: Options = {
    ...(place.username !== undefined && { username: place.username }),
    ...(place.password !== undefined && { password: place.password }),
    ...(tls && { tls }),
    connectTimeout: CONNECT_TIMEOUT,
    socketTimeout: SILENCE,
    keepAlive: 10_000,
    disableClientInfo: true,
    protocol: 2,
  };
  if (place.kind === "cluster") return createCluster(place, common);
  const [first] = place.hosts;
  const options: Options = {
    ...common,
    lazyConnect: true,
    db: place.database,
    // Each command has a deadline of its own; what was sent is not known to be lost.
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy: pause,
    // A primary that became a replica: the sentinels know the new one.
    reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 1 : false),
    ...(place.kind === "single"
      ? { host: first?.host ?? "", port: first?.port ?? 0 }
      : {
          sentinels: place.hosts.map(({ host, port }) => ({ host, port })),
          name: place.name ?? "",
          sentinelRetryStrategy: pause,
          failoverDetector: true,
          ...(place.sentinelUsername !== undefined && { sentinelUsername: place.sentinelUsername }),
          ...(place.sentinelPassword !== undefined && { sentinelPassword: place.sentinelPassword }),
          ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
        }),
  };
  const client = new Redis(options);
  checkEachConnection(client, place);
  return client;
}

function createCluster(place: RedisPlace, redisOptions: Options): Cluster {
  const seeds = place.hosts.map(({ host, port }) => ({ host, port }));
  const cluster = new Cluster(seeds, {
    lazyConnect: true,
    redisOptions,
    maxRedirections: 60,
    retryDelayOnFailover: 150,
    retryDelayOnClusterDown: 150,
    retryDelayOnMoved: 100,
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: CONNECT_TIMEOUT,
    // The heartbeat does that: the client's own timer would outlive it.
    slotsRefreshInterval: 0,
    // Names in a certificate are those of the seeds, so the nodes must be told by the same.
    dnsLookup: (address, callback) => callback(null, address),
  });
  // A node is announced before its connection is made.
  cluster.on("+node", (node: Redis) => checkEachConnection(node, place));
  // The service subscribes to nothing: a subscriber would be one more connection, and unchecked.
  (cluster as unknown as { subscriber: { start(): void } }).subscriber.start = () => undefined;
  return cluster;
}

function tlsOf({ isTls, caFile }: RedisPlace): ConnectionOptions | undefined {
  if (!isTls) return undefined;
  return caFile === undefined ? {} : { ca: readFileSync(caFile) };
}
