import { createClient, createCluster } from "redis";

/** Connects to the Redis that the environment names: a single server (REDIS_URL) or a cluster (REDIS_NODES). */
export async function connectedClient() {
  const { REDIS_URL: url = "", REDIS_NODES: nodes } = process.env;
  const client =
    nodes === undefined
      ? createClient({ url })
      : createCluster({ rootNodes: nodes.split(",").map((node) => ({ url: node })) });
  await client.connect();
  return client;
}
