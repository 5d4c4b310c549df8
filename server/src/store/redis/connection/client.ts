import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { RedisPlace } from "./place.ts";
import { checkEachConnection } from "./ready-check.ts";

type Options = Omit<RedisOptions, "replyMapping">;

/** A client of the library ioredis. */
export type Client = Redis | Cluster;

const CONNECT_TIMEOUT_MS = 1000;
/** Time (ms) without a reply after which a connection is treated as broken. */
const SOCKET_TIMEOUT_MS = 5000;
/** Returns the time (ms) to wait before the next attempt to connect. */
const retryPause = (attempt: number) => Math.min(50 * attempt, 500);

/** Creates a client that is not connected yet. After it has connected once, it reconnects until it is closed. */
export function createClient(place: RedisPlace): Client {
  const tls = tlsOf(place);
  const common: Options = {
    ...(place.username !== undefined && { username: place.username }),
    ...(place.password !== undefined && { password: place.password }),
    ...(tls && { tls }),
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
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
    // The library must not repeat commands by itself: a sent command may have been carried out, and each command has
    // its own deadline.
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy: retryPause,
    // The server is a replica now. Reconnect, because the sentinels know the new primary.
    reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 1 : false),
    ...(place.kind === "single"
      ? { host: first?.host ?? "", port: first?.port ?? 0 }
      : {
          sentinels: place.hosts.map(({ host, port }) => ({ host, port })),
          name: place.name ?? "",
          sentinelRetryStrategy: retryPause,
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
    clusterRetryStrategy: retryPause,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    // Switches off the client's own timer, which would continue after `close`. The heartbeat refreshes the slots.
    slotsRefreshInterval: 0,
    // Keeps host names instead of IP addresses, because the certificates of the nodes are checked against host names.
    dnsLookup: (address, callback) => callback(null, address),
  });
  // The event `+node` is emitted before the client connects to the node, so the check applies to the first connection
  // too.
  cluster.on("+node", (node: Redis) => checkEachConnection(node, place));
  // Prevents the library from opening a connection for subscriptions, which would not be checked and is not needed.
  (cluster as unknown as { subscriber: { start(): void } }).subscriber.start = () => undefined;
  return cluster;
}

function tlsOf({ isTls, caFile }: RedisPlace): ConnectionOptions | undefined {
  if (!isTls) return undefined;
  return caFile === undefined ? {} : { ca: readFileSync(caFile) };
}
