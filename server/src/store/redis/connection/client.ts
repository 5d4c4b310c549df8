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
  const options = { username, password, database, tls: tlsOf(place) };
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
    close: () => node.close(),
  };
}

function tlsOf({ isTls, caFile }: RedisPlace): ConnectionOptions | undefined {
  if (!isTls) return undefined;
  return caFile === undefined ? {} : { ca: readFileSync(caFile) };
}
