import type { Redis } from "ioredis";
import type { Changes } from "../connection/admission.ts";
import type { Connection, Operation } from "../connection/connection.ts";
import { RedisFault } from "../connection/faults.ts";
import { CLOCK_TOLERANCE, type Fixed, type Known, oldestSecretOf, type Pulse } from "./globals.ts";
import { createMemoryWatch } from "./memory-watch.ts";

/*
 * Regular queries of a process to the servers. With them it learns of changes by other processes, and notices
 * when the stored data are no longer the data that it works with:
 *
 *   intact     --state or secrets evicted--> restored from memory --> intact
 *   intact     --API keys evicted--> restored from memory --> intact
 *   intact     --an older copy--> reported, keys and secrets are read again --> intact
 *   intact     --both gone, or another store's--> suspended: every operation is refused
 *   suspended  --the data is back--> intact
 *
 * It never continues with other secrets by itself: the operator decides, by restoring the data or by restarting
 * all processes (docs/decisions/0035-lost-redis-data.md).
 */

/** A heartbeat that runs. */
export interface Heartbeat {
  /** Bytes that the primaries hold in memory; `undefined` without the right to query them. */
  readonly bytes: number | undefined;
  /** Whether every operation is refused because the data are gone. */
  readonly isSuspended: boolean;
  /** What is known about the store. */
  readonly known: Known;
  /** Accepts another store's secrets: this process fills the store with a copy of that one. */
  adopting(): void;
  /** Whether a heartbeat found the known store. */
  isIntact(pulse: Pulse): boolean;
  /** Whether these are the secrets of the known store. */
  isKnown(lines: readonly string[]): boolean;
  close(): Promise<void>;
}

export interface HeartbeatParts {
  readonly connection: Connection;
  readonly fixed: Fixed;
  readonly changes: Changes;
  /** The latest time that this process has seen, ms since 1970. */
  readonly seen: () => number;
  /** The wall clock of this process, Unix ms. */
  readonly wall: () => number;
  /** Keys or secrets were changed, maybe by another process. Where it rejects, the next beat tells it again. */
  readonly changed: () => void | Promise<void>;
  readonly noticed: (level: "info" | "warn" | "error", message: string) => void;
  readonly suspended: (isSuspended: boolean) => void;
}

/** Milliseconds between two beats: others hear of a revoked key within that and a round trip. */
const EVERY = 500;
/** Milliseconds until a connection that could not be checked is checked again. */
const RECHECK_PAUSE = 50;
/** How many beats pass between two looks at the memory. */
const BEATS_A_LOOK = 20;

/** Beats until it is closed; the first beat has come when this is fulfilled. */
export async function startHeartbeat(parts: HeartbeatParts): Promise<Heartbeat> {
  const { connection, fixed, changes, seen, wall, changed, noticed, suspended } = parts;
  const nodes = (): readonly Redis[] => [...connection.primaries().values()];
  const memory = createMemoryWatch(connection, nodes, noticed);
  const clocks = createClockWatch(wall, seen, noticed);
  let known = await firstLook();
  await memory.look();
  let beats = 0;
  let reconnects = 0;
  /** The last connection after which the data were found to be the known ones. */
  let checked = 0;
  let current = Promise.resolve();
  let isBeating = false;
  let isSuspended = false;
  let isAdopting = false;
  let isClosed = false;
  let timer = setTimeout(next, EVERY);
  connection.checkAfterReconnecting(() => {
    reconnects++;
    if (!isBeating && !isClosed) {
      clearTimeout(timer);
      next();
    }
  });

  async function firstLook(): Promise<Known> {
    const started = wall();
    const pulse = await fixed.beat(connection.begin(seen()), wall());
    clocks.compare(started, pulse.serverTime);
    return read(pulse, connection.begin(seen()));
  }

  /** Reads the stored keys and secrets, at the revision of `pulse` or a later one. */
  async function read(pulse: Pulse, operation: Operation): Promise<Known> {
    const { revision, floor, auditEntries } = pulse;
    const [lines, keyTexts] = await Promise.all([
      fixed.secretLines(operation),
      fixed.keyTexts(operation),
    ]);
    return { lines, keyTexts, auditEntries, revision, floor };
  }

  function next(): void {
    isBeating = true;
    current = beat().finally(() => {
      isBeating = false;
      // A connection that was made meanwhile must be checked at once.
      const isSettled = reconnects === checked || isSuspended;
      if (!isClosed) timer = setTimeout(next, isSettled ? EVERY : RECHECK_PAUSE);
    });
  }

  async function beat(): Promise<void> {
    connection.refresh();
    const since = changes.since();
    const started = wall();
    try {
      if (reconnects !== checked) await checkConnection(reconnects);
      const pulse = await fixed.prove(connection.beginCheck(seen()), wall(), known);
      changes.recovered(since);
      clocks.compare(started, pulse.serverTime);
      if (!(await isOurs(pulse))) return;
      resume();
      await follow(pulse);
      if (++beats % BEATS_A_LOOK === 0) await memory.look();
    } catch (error) {
      // Other errors were reported where they occurred; the next heartbeat will come.
      if (error instanceof RedisFault) changes.failed(error);
    }
  }

  /** Permits operations on a new connection, even without writes, once the data are found to be the known ones. */
  async function checkConnection(which: number): Promise<void> {
    if (!isIntact(await fixed.look(connection.beginCheck(seen())))) return;
    checked = which;
    if (reconnects === which && !isSuspended) connection.hold(undefined);
  }

  function isIntact({ oldestSecret, hasState }: Pick<Pulse, "oldestSecret" | "hasState">): boolean {
    return isAdopting || (hasState && oldestSecret === oldestSecretOf(known.lines));
  }

  /** Whether the store is the known one, if necessary after restoring evicted keys. */
  async function isOurs(pulse: Pulse): Promise<boolean> {
    const { oldestSecret, hasState } = pulse;
    if (isIntact(pulse)) return true;
    const isSame = oldestSecret === oldestSecretOf(known.lines);
    const mayPutBack = isSame || (oldestSecret === "" && hasState);
    if (mayPutBack && (await fixed.putBack(connection.beginCheck(seen()), known))) {
      noticed("error", hasState ? messages.secretsPutBack : messages.statePutBack);
    } else if (!mayPutBack) {
      suspend(oldestSecret === "" ? messages.gone : messages.replaced);
    }
    // The next heartbeat checks whether it exists.
    return false;
  }

  function suspend(message: string): void {
    connection.hold(new RedisFault("", message));
    if (isSuspended) return;
    isSuspended = true;
    suspended(true);
    noticed("error", message);
  }

  function resume(): void {
    if (!isSuspended) return;
    isSuspended = false;
    connection.hold(undefined);
    suspended(false);
    known = { ...known, revision: -1 };
    noticed("info", messages.back);
  }

  /** Takes over changes of keys and secrets by other processes, and notices missing data. */
  async function follow(pulse: Pulse): Promise<void> {
    const { revision, floor, isOlder, apiKeys, auditEntries } = pulse;
    if (isOlder) noticed("error", olderText(known.floor - floor));
    else if (auditEntries < known.auditEntries) noticed("error", messages.auditMissing);
    if (isOlder || revision !== known.revision) {
      const found = await read(pulse, connection.beginCheck(seen()));
      await changed();
      known = found;
      return;
    }
    if (apiKeys < known.keyTexts.length) await putBackKeys();
    known = { ...known, auditEntries, floor: Math.max(floor, known.floor) };
  }

  /** Restores API keys that are missing although none was changed. */
  async function putBackKeys(): Promise<void> {
    const missing = await fixed.putBackKeys(connection.beginCheck(seen()), known);
    // Another process may have been first.
    if (missing > 0) noticed("error", messages.keysPutBack);
  }

  return {
    get bytes() {
      return memory.bytes;
    },
    get isSuspended() {
      return isSuspended;
    },
    get known() {
      return known;
    },
    adopting() {
      isAdopting = true;
    },
    isIntact,
    isKnown: (lines) => isAdopting || oldestSecretOf(lines) === oldestSecretOf(known.lines),
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await current;
    },
  };
}

const lost =
  "all requests are answered with 503. Restore the data of Redis and the service continues, or restart every server to start over: then sessions, API keys and the audit trail are lost, and no earlier session id is valid";

const messages = {
  gone: `the data in Redis is gone (flushed, restarted without persistence, evicted, or a failover to an empty replica): ${lost}`,
  replaced: `the data in Redis is that of another store (newly created after a loss, or restored from elsewhere): ${lost}`,
  secretsPutBack:
    "the secrets were missing in Redis and were restored from memory; set maxmemory-policy to noeviction, and check what else is missing",
  statePutBack:
    "the state was missing in Redis and was restored from memory; set maxmemory-policy to noeviction, and check what else is missing",
  keysPutBack:
    "API keys were missing in Redis and were restored from memory; set maxmemory-policy to noeviction, and check what else is missing",
  auditMissing:
    "entries of the audit trail are missing in Redis (evicted or deleted): it no longer shows earlier operations. Set maxmemory-policy to noeviction, and take the entries from a copy of the data",
  inStep: "the clock of this machine and that of Redis are in step again",
  back: "the data in Redis is back: requests are served again",
} as const;

function olderText(behind: number): string {
  const time = behind > 0 ? `, about ${Math.ceil(behind / 1000)} seconds behind` : "";
  return `the data in Redis is an older copy (a restored dump, or a failover to a replica that was behind${time}): changes since then are lost, and ended sessions, revoked keys and erased customers may be back; end, revoke and erase them again`;
}

/** Reports when the clock of this machine and that of Redis begin to differ, and when they agree again. */
function createClockWatch(
  wall: () => number,
  seen: () => number,
  noticed: HeartbeatParts["noticed"],
): { compare(started: number, serverTime: number): void } {
  let isApart = false;

  return {
    compare(started, serverTime) {
      // Redis reported its time at some moment in between.
      const ahead = Math.min(started, wall()) - serverTime;
      const behind = serverTime - Math.max(started, wall());
      const difference = Math.max(ahead, behind);
      const isApartNow = difference > CLOCK_TOLERANCE;
      if (isApartNow === isApart) return;
      isApart = isApartNow;
      if (isApart) {
        const way = ahead > behind ? "ahead of" : "behind";
        noticed(
          "error",
          `the clock of this machine is ${Math.round(difference / 1000)} s ${way} that of Redis: sessions expire at the wrong time here. Set both by NTP, and restart this server`,
        );
        return;
      }
      // The time of sessions never runs backwards in a process.
      const left = Math.round((seen() - wall()) / 1000);
      if (left * 1000 <= CLOCK_TOLERANCE) noticed("info", messages.inStep);
      else
        noticed(
          "error",
          `${messages.inStep}, but this server is still ${left} s ahead: restart it`,
        );
    },
  };
}
