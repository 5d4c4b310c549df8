import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import type { Client } from "./client-port.ts";
import { ClusterClient } from "./cluster-client.ts";
import { NodeClient, type NodeEvents, type NodeOptions } from "./node-client.ts";
import type { RedisPlace } from "./place.ts";
import { createSentinelClient } from "./sentinel-client.ts";

/** Creates a client, which begins to connect. */
export function createClient(place: RedisPlace, events: NodeEvents): Client {
  const { username, password, database } = place;
  const tls = place.isTls ? () => readTlsFiles(place) : undefined;
  // A file that is missing from the beginning ends the start at once.
  tls?.();
  const options = { username, password, database, tls };
  if (place.kind === "cluster") return new ClusterClient(place.hosts, { ...options, kind: "cluster" }, events);
  if (place.kind === "sentinel") return createSentinelClient(place, { ...options, kind: "primary" }, events);
  return createSingleClient(place, { ...options, kind: "single" }, events);
}

function createSingleClient({ hosts }: RedisPlace, options: NodeOptions, events: NodeEvents): Client {
  const [address = { host: "", port: 0 }] = hosts;
  const node = new NodeClient(() => Promise.resolve(address), options, events);
  return {
    get isReady() {
      return node.isReady;
    },
    send: (command) => node.send(command),
    nodeOf: () => node,
    primaries: () => new Map([[`${address.host}:${address.port}`, node]]),
    refresh: () => undefined,
    // The name in the address may lead to another server by now.
    leave: (carrier) => node.leave(carrier),
    inspectConnections: () => undefined,
    close: () => node.close(),
  };
}

/** Reads the files for each connection, so that renewed certificates are used without a restart. */
function readTlsFiles({ caFile, certFile, keyFile }: RedisPlace): ConnectionOptions {
  return {
    ...(caFile !== undefined && { ca: readFileSync(caFile) }),
    ...(certFile !== undefined &&
      keyFile !== undefined && { cert: readFileSync(certFile), key: readFileSync(keyFile) }),
  };
}
