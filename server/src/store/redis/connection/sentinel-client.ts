import type { Client } from "./client-port.ts";
import { faultOf, faultOfSentinels, type RedisFault } from "./faults.ts";
import { NodeClient, type NodeEvents, type NodeOptions } from "./node-client.ts";
import type { Address, RedisPlace } from "./place.ts";

/** Creates a client of the primary that the sentinels name. It follows the sentinels when they name another one. */
export function createSentinelClient(place: RedisPlace, options: NodeOptions, events: NodeEvents): Client {
  const { name = "", hosts, sentinelUsername: username, sentinelPassword: password } = place;
  const ofSentinels = { ...options, kind: "sentinel", username, password, database: 0 } as const;
  const silent = { ready: () => undefined, failed: () => undefined };
  const sentinels = hosts.map((address) => new NodeClient(() => Promise.resolve(address), ofSentinels, silent));
  const primary = new NodeClient(() => locate(sentinels, name), options, events);
  let isAsking = false;

  async function follow(): Promise<void> {
    const { connection } = primary;
    const { host, port } = await locate(sentinels, name);
    if (connection?.address.host !== host || connection.address.port !== port) primary.leave(connection);
  }

  return {
    get isReady() {
      return primary.isReady;
    },
    send: (command) => primary.send(command),
    nodeOf: () => primary,
    primaries() {
      const { host = "", port = 0 } = primary.connection?.address ?? {};
      return new Map([[`${host}:${port}`, primary]]);
    },
    refresh() {
      if (isAsking || !primary.isReady) return;
      isAsking = true;
      // If no sentinel answers, the connection is still that of the primary that they named last.
      void follow()
        .catch(() => undefined)
        .finally(() => {
          isAsking = false;
        });
    },
    leave: (carrier) => primary.leave(carrier),
    inspectConnections: () => undefined,
    close() {
      primary.close();
      for (const sentinel of sentinels) sentinel.close();
    },
  };
}

/**
 * Asks all sentinels for the address of the primary, and returns the one that most of them name: a sentinel that was
 * cut off may name an earlier primary. Waits for all of them only as long as no address has the majority.
 */
function locate(sentinels: readonly NodeClient[], name: string): Promise<Address> {
  const found = Promise.withResolvers<Address>();
  const votes = new Map<string, number>();
  let missing = sentinels.length;
  let isUnknown = false;
  let fault: RedisFault | undefined;

  async function ask(sentinel: NodeClient): Promise<void> {
    try {
      await sentinel.settled();
      const reply = (await sentinel.call("sentinel", "get-master-addr-by-name", name)) as [string, string] | null;
      if (reply === null) isUnknown = true;
      else votes.set(reply.join(" "), (votes.get(reply.join(" ")) ?? 0) + 1);
    } catch (error) {
      fault = faultOf(error);
    }
    missing--;
    const [best] = [...votes].toSorted(([, a], [, b]) => b - a);
    if (best !== undefined && (missing === 0 || best[1] > sentinels.length / 2)) {
      const [host = "", port] = best[0].split(" ");
      found.resolve({ host, port: Number(port) });
    } else if (missing === 0) found.reject(faultOfSentinels(isUnknown ? undefined : fault));
  }

  for (const sentinel of sentinels) void ask(sentinel);
  return found.promise;
}
