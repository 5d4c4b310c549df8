import { type HttpAddress, HttpConnection } from "./connection.ts";

/** The connections to a service. */
export interface Connections {
  /** Calls `use` with an idle or a new connection. At the maximum number of connections, waits until one is idle. */
  take(use: UseConnection): void;
  /** Removes a function that waits for a connection. */
  cancel(use: UseConnection): void;
  /** Returns a new connection. */
  open(): HttpConnection;
  /** Must be called when a connection from `take` or `open` is not needed any more. */
  giveBack(connection: HttpConnection): void;
}

export type UseConnection = (connection: HttpConnection) => void;

/** Maximum number of connections to a service. Further requests wait for one. */
const MAX_CONNECTIONS = 256;
/**
 * Maximum time (ms) for which a connection is idle before it is used again. Proxies and networks drop idle connections
 * sooner or later, some of them silently. Node's `fetch` has the same limit.
 */
const MAX_IDLE_MS = 4000;

interface IdleConnection {
  readonly connection: HttpConnection;
  /** Time in milliseconds. */
  readonly since: number;
}

const byOrigin = new Map<string, Connections>();

/** Returns the connections to the service at an address. All parts of a process share them. */
export function connectionsTo(url: URL): Connections {
  const connections = byOrigin.get(url.origin) ?? createConnections(addressOf(url));
  byOrigin.set(url.origin, connections);
  return connections;
}

function addressOf({ protocol, hostname, port }: URL): HttpAddress {
  const isEncrypted = protocol === "https:";
  return {
    isEncrypted,
    // The brackets around an IPv6 address belong to the URL only.
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port) || (isEncrypted ? 443 : 80),
  };
}

function createConnections(address: HttpAddress): Connections {
  /** Those that were used last are at the end. */
  const idle: IdleConnection[] = [];
  const waiting = new Set<UseConnection>();
  let busy = 0;
  let tlsSession: Buffer | undefined;

  function open(): HttpConnection {
    busy += 1;
    return new HttpConnection(address, tlsSession, (session) => {
      tlsSession = session;
    });
  }

  /** Closes connections that have been idle for too long. */
  function closeOld(now: number): void {
    while (idle[0] !== undefined && now - idle[0].since > MAX_IDLE_MS) {
      idle.shift()?.connection.destroy(new Error("the connection was idle"));
    }
  }

  return {
    take(use) {
      closeOld(performance.now());
      // The service is least likely to close the connection that was used last.
      for (let found = idle.pop(); found !== undefined; found = idle.pop()) {
        if (found.connection.isClosed) continue;
        busy += 1;
        return use(found.connection);
      }
      if (busy < MAX_CONNECTIONS) use(open());
      else waiting.add(use);
    },
    cancel(use) {
      waiting.delete(use);
    },
    open,
    giveBack(connection) {
      busy -= 1;
      const [next] = waiting;
      if (next !== undefined && busy < MAX_CONNECTIONS) {
        waiting.delete(next);
        if (connection.isClosed) return next(open());
        busy += 1;
        return next(connection);
      }
      if (connection.isClosed) return;
      const since = performance.now();
      closeOld(since);
      idle.push({ connection, since });
    },
  };
}
