import { RedisFault } from "../connection/faults.ts";
import type { Engine, Operation } from "../engine.ts";
import { ClockWatch } from "./clock-watch.ts";
import { readApiKeyTexts, readSecretTexts, restoreApiKeys } from "./credentials.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { ShardWatch } from "./shard-watch.ts";
import {
  heartbeat,
  identifyStore,
  type KnownStore,
  oldestSecretOf,
  type Pulse,
  restoreStore,
  type StoreIdentity,
} from "./store-state.ts";

/*
 * The heartbeat is a query that every process sends to Redis regularly. With it, a process notices changes that other
 * processes made, and notices if the stored data are no longer those with which it works. The states of the data:
 *
 *   intact     --state or secrets evicted--> restored from memory --> intact
 *   intact     --API keys evicted--> restored from memory --> intact
 *   intact     --data are an older copy--> reported, API keys and secrets are read again --> intact
 *   intact     --state and secrets gone, or data of another store--> suspended: every operation is refused
 *   suspended  --the data are back--> intact
 *
 * These are the data in the slot of the state. `ShardWatch` notices the loss of other data of a cluster.
 *
 * A process never accepts other secrets by itself. The operator decides, by restoring the data or by restarting all
 * processes (docs/decisions/0035-lost-redis-data.md).
 */

/** Time (ms) between heartbeats. Other processes notice a revoked API key within this time plus a round trip. */
const INTERVAL = 500;
/** Time (ms) until a new connection is checked again after its check has failed. */
const RECHECK_PAUSE = 50;
/** Number of heartbeats between two queries of the memory use. */
const HEARTBEATS_PER_QUERY = 20;

/** Sends heartbeats until it is closed, and reacts to their results. */
export class Heartbeat {
  readonly #engine: Engine;
  readonly #memory: MemoryWatch;
  readonly #clocks: ClockWatch;
  readonly #shards: ShardWatch;
  #known: KnownStore;
  #beats = 0;
  /** Number of reconnections so far. */
  #reconnects = 0;
  /** Value of `#reconnects` when a check last found the known data. */
  #checked = 0;
  /** Promise that is fulfilled when the current heartbeat is done. */
  #current = Promise.resolve();
  #isBeating = false;
  #isSuspended = false;
  #isImporting = false;
  #isClosed = false;
  #timer: NodeJS.Timeout;

  private constructor(engine: Engine, known: KnownStore) {
    this.#engine = engine;
    this.#known = known;
    this.#memory = new MemoryWatch(engine);
    this.#clocks = new ClockWatch(engine);
    this.#shards = new ShardWatch(engine);
    this.#timer = setTimeout(() => this.#next(), INTERVAL);
    engine.connection.checkAfterReconnecting(() => {
      this.#reconnects++;
      if (this.#isBeating || this.#isClosed) return;
      clearTimeout(this.#timer);
      this.#next();
    });
  }

  /** Sends a first heartbeat, reads the data that identify the store, and starts. */
  static async start(engine: Engine): Promise<Heartbeat> {
    const before = engine.options.wall();
    const pulse = await heartbeat(engine.begin());
    const known = await readStore(engine.begin(), pulse);
    const started = new Heartbeat(engine, known);
    started.#clocks.compare(before, pulse.serverTime);
    await started.#shards.start(pulse);
    await started.#memory.query();
    return started;
  }

  /** Memory in use on all primaries, in bytes; `undefined` if the user of Redis may not query it. */
  get bytes(): number | undefined {
    return this.#memory.bytes;
  }

  /** Whether shards of a cluster seem to have lost their data, and this is not stored yet. */
  get isAlarmed(): boolean {
    return this.#shards.isAlarmed;
  }

  /** Whether every operation is refused because the data are gone or those of another store. */
  get isSuspended(): boolean {
    return this.#isSuspended;
  }

  /** The store as this process knows it from the last heartbeats. */
  get known(): KnownStore {
    return this.#known;
  }

  /** Accepts any secrets from now on, because an import replaces the secrets by those of the exporting store. */
  beginImport(): void {
    this.#isImporting = true;
  }

  /** Returns whether the state exists and the oldest secret is that of the known store. True during an import. */
  isIntact({ oldestSecret, hasState }: StoreIdentity): boolean {
    return this.#isImporting || (hasState && oldestSecret === oldestSecretOf(this.#known.secrets));
  }

  /** Returns whether the secrets, in their stored form, are those of the known store. True during an import. */
  isKnown(secrets: readonly string[]): boolean {
    return this.#isImporting || oldestSecretOf(secrets) === oldestSecretOf(this.#known.secrets);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#current;
    await this.#shards.close();
  }

  #next(): void {
    this.#isBeating = true;
    this.#current = this.#beat().finally(() => {
      this.#isBeating = false;
      if (this.#isClosed) return;
      // If the current connection has not been checked successfully, the next heartbeat checks it soon.
      const isChecked = this.#reconnects === this.#checked || this.#isSuspended;
      this.#timer = setTimeout(() => this.#next(), isChecked ? INTERVAL : RECHECK_PAUSE);
    });
  }

  async #beat(): Promise<void> {
    const { connection, admission, options } = this.#engine;
    connection.refresh();
    const failures = admission.failures();
    const started = options.wall();
    try {
      if (this.#reconnects !== this.#checked) await this.#checkConnection(this.#reconnects);
      const pulse = await heartbeat(this.#engine.beginCheck(), this.#known);
      admission.recovered(failures);
      this.#clocks.compare(started, pulse.serverTime);
      if (!(await this.#isOurs(pulse))) return;
      this.#resume();
      await this.#follow(pulse);
      await this.#shards.follow(pulse);
      this.#shards.check(pulse, pulse.oldestSecret);
      if (++this.#beats % HEARTBEATS_PER_QUERY === 0) await this.#memory.query();
    } catch (error) {
      // Other errors were reported where they occurred. The next heartbeat tries again.
      if (error instanceof RedisFault) admission.failed(error);
    }
  }

  /** Permits operations if a new connection leads to the known data. Only reads them: the server may refuse writes. */
  async #checkConnection(reconnect: number): Promise<void> {
    if (!this.isIntact(await identifyStore(this.#engine.beginCheck()))) return;
    this.#checked = reconnect;
    const isLast = this.#reconnects === reconnect;
    if (isLast && !this.#isSuspended) this.#engine.connection.hold(undefined);
  }

  /** Returns whether the data are intact. If not, restores the evicted state or secrets, or suspends all operations. */
  async #isOurs(pulse: Pulse): Promise<boolean> {
    const { oldestSecret, hasState } = pulse;
    if (this.isIntact(pulse)) return true;
    const isSame = oldestSecret === oldestSecretOf(this.#known.secrets);
    const isRestorable = isSame || (oldestSecret === "" && hasState);
    if (!isRestorable) {
      this.#suspend(oldestSecret === "" ? messages.gone : messages.replaced);
    } else if (await restoreStore(this.#engine.beginCheck(), this.#known)) {
      this.#engine.options.events.noticed("error", restoredText(hasState ? "the secrets were" : "the state was"));
    }
    // The next heartbeat checks the data again.
    return false;
  }

  #suspend(message: string): void {
    const { connection, options } = this.#engine;
    connection.hold(new RedisFault("", message));
    if (this.#isSuspended) return;
    this.#isSuspended = true;
    options.events.suspended(true);
    options.events.noticed("error", message);
  }

  #resume(): void {
    if (!this.#isSuspended) return;
    const { connection, options } = this.#engine;
    this.#isSuspended = false;
    connection.hold(undefined);
    options.events.suspended(false);
    this.#known = { ...this.#known, revision: -1 };
    options.events.noticed("info", messages.back);
  }

  /**
   * Reads API keys and secrets again if their revision has changed or the data are an older copy. Restores missing API
   * keys. Reports an older copy, missing audit entries and restored API keys.
   */
  async #follow(pulse: Pulse): Promise<void> {
    const { events } = this.#engine.options;
    const { revision, highWaterMark, isOlder, apiKeys, auditEntries } = pulse;
    const known = this.#known;
    if (isOlder) events.noticed("error", olderText(known.highWaterMark - highWaterMark));
    else if (auditEntries < known.auditEntries) events.noticed("error", messages.auditMissing);
    if (isOlder || revision !== known.revision) {
      const found = await readStore(this.#engine.beginCheck(), pulse);
      await events.credentialsChanged();
      this.#known = found;
      return;
    }
    if (apiKeys < known.apiKeys.length) {
      const operation = this.#engine.beginCheck();
      const restored = await restoreApiKeys(operation, revision, known.apiKeys);
      // `restored` is 0 if another process has restored the API keys first.
      if (restored > 0) events.noticed("error", restoredText("API keys were"));
    }
    const mark = Math.max(highWaterMark, known.highWaterMark);
    this.#known = { ...known, auditEntries, highWaterMark: mark };
  }
}

/** Reads the stored API keys and secrets. They have the revision in `pulse` or a later one. */
async function readStore(operation: Operation, { revision, highWaterMark, auditEntries }: Pulse) {
  const [secrets, apiKeys] = await Promise.all([readSecretTexts(operation), readApiKeyTexts(operation)]);
  return { secrets, apiKeys, auditEntries, revision, highWaterMark };
}

const lost =
  "all requests are answered with 503. Restore the data of Redis and the service continues, or restart every server to start over: then sessions, API keys and the audit trail are lost, and no earlier session id is valid";

const messages = {
  gone: `the data in Redis is gone (flushed, restarted without persistence, evicted, or a failover to an empty replica): ${lost}`,
  replaced: `the data in Redis is that of another store (newly created after a loss, or restored from elsewhere): ${lost}`,
  auditMissing:
    "entries of the audit trail are missing in Redis (evicted or deleted): it no longer shows earlier operations. Set maxmemory-policy to noeviction, and take the entries from a copy of the data",
  back: "the data in Redis is back: requests are served again",
} as const;

function restoredText(subject: string): string {
  return `${subject} missing in Redis and restored from memory; set maxmemory-policy to noeviction, and check what else is missing`;
}

function olderText(behind: number): string {
  const time = behind > 0 ? `, about ${Math.ceil(behind / 1000)} seconds behind` : "";
  return `the data in Redis is an older copy (a restored dump, or a failover to a replica that was behind${time}): changes since then are lost, and ended sessions, revoked keys and erased customers may be back; end, revoke and erase them again`;
}
