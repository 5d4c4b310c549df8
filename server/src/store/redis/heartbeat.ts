import type { Changes } from "./changes.ts";
import type { Connection } from "./connection.ts";
import type { Fixed } from "./fixed.ts";

/** What a process asks the servers again and again, so that it hears of what others did. */
export interface Heartbeat {
  /** Bytes that the primaries hold in memory. */
  readonly bytes: number;
  close(): Promise<void>;
}

export interface HeartbeatParts {
  readonly connection: Connection;
  readonly fixed: Fixed;
  readonly changes: Changes;
  /** The latest time that this process has seen, ms since 1970. */
  readonly seen: () => number;
  /** Keys or secrets were changed, maybe by another process. Where it rejects, the next beat tells it again. */
  readonly changed: () => void | Promise<void>;
}

/** Milliseconds between two beats: others hear of a revoked key within that and a round trip. */
const EVERY = 500;
/** How many beats pass between two looks at the memory. */
const BEATS_A_LOOK = 20;

/** Beats until it is closed; the first beat has come when this is fulfilled. */
export async function startHeartbeat(parts: HeartbeatParts): Promise<Heartbeat> {
  const { connection, fixed, changes, seen, changed } = parts;
  let revision = await fixed.beat(connection.begin(seen()));
  let bytes = await memory();
  let beats = 0;
  let current = Promise.resolve();
  let isClosed = false;
  let timer = setTimeout(next, EVERY);

  function next(): void {
    current = beat().finally(() => {
      if (!isClosed) timer = setTimeout(next, EVERY);
    });
  }

  async function beat(): Promise<void> {
    connection.refresh();
    const since = changes.since();
    try {
      const latest = await fixed.prove(connection.begin(seen()));
      changes.recovered(since);
      if (latest !== revision) await changed();
      revision = latest;
      if (++beats % BEATS_A_LOOK === 0) bytes = await memory();
    } catch {
      // It was reported where it failed; the next beat comes.
    }
  }

  async function memory(): Promise<number> {
    const nodes = [...connection.primaries().values()];
    const infos = nodes.map((node) =>
      connection.ask(connection.begin(seen()), node, "info", "memory"),
    );
    return (await Promise.all(infos)).reduce<number>(
      (sum, info) => sum + Number(/used_memory:(\d+)/.exec(String(info))?.[1] ?? 0),
      0,
    );
  }

  return {
    get bytes() {
      return bytes;
    },
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await current;
    },
  };
}
