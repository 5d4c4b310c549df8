import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { RedisPlace } from "./place.ts";
import { checkEachConnection } from "./ready-check.ts";

type Options = Omit<RedisOptions, "replyMapping">;

/** Client of the library. */
export type Client = Redis | Cluster;

const CONNECT_TIMEOUT_MS = 1000;
/** Time without a reply after which a connection is treated as broken. */
const SOCKET_TIMEOUT_MS = 5000;
const retryPause = (attempt: number) => Math.min(50 * attempt, 500);

/** Creates a client that is not connected yet. IdempotentRequest connected, it reconnects until it is closed. */
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
    // Each command has its own deadline, and a sent command may have been carried out.
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy: retryPause,
    // The primary has become a replica; the sentinels know the new one.
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
    // The heartbeat refreshes them; the client's own timer would outlive `close`.
    slotsRefreshInterval: 0,
    // Keeps host names, which the certificates of the nodes are checked against.
    dnsLookup: (address, callback) => callback(null, address),
  });
  // The event comes before the connection is made.
  cluster.on("+node", (node: Redis) => checkEachConnection(node, place));
  // Saves an unchecked connection for subscriptions, which the service does not use.
  (cluster as unknown as { subscriber: { start(): void } }).subscriber.start = () => undefined;
  return cluster;
}

function tlsOf({ isTls, caFile }: RedisPlace): ConnectionOptions | undefined {
  if (!isTls) return undefined;
  return caFile === undefined ? {} : { ca: readFileSync(caFile) };
}
