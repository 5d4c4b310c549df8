import { Refusal } from "../../session/errors.ts";
import { longestLife } from "../../session/lifetime.ts";
import type { RetentionPolicy } from "../../session/retention.ts";
import type { Session } from "../../session/session.ts";
import type { Admission } from "./connection/admission.ts";
import type { Argument, Connection, TimedOperation } from "./connection/connection.ts";
import { ShardLosses } from "./globals/shard-losses.ts";
import { createKeyNames, type KeyNames } from "./layout/key-names.ts";
import { implicitSession } from "./layout/session-codec.ts";
import { PendingNotes } from "./notes/pending-notes.ts";
import type { RedisStoreOptions } from "./options.ts";
import type { Script } from "./scripts/scripts.ts";
import { PendingRenewals } from "./sessions/pending-renewals.ts";
import { SessionBatch } from "./sessions/session-batch.ts";
import { claimLife } from "./sessions/visit-claim.ts";

/** Maximum number of notes of this process that wait, for each change that may be in progress. */
const NOTES_PER_CHANGE = 10;

/** State and settings that the operations of the engine share. */
export class Engine {
  readonly connection: Connection;
  readonly admission: Admission;
  readonly options: RedisStoreOptions;
  readonly keys: KeyNames;
  readonly policy: RetentionPolicy;
  /** Whether changes are published in the event log. */
  readonly publishes: boolean;
  /** The arguments 3 to 7 of `prelude/session.lua`, also as lines. */
  readonly policyArgs: readonly Argument[];
  readonly policyLines: string;
  readonly notes: PendingNotes;
  /** The new sessions, and the associations, that are sent to one server at the end of this turn of the event loop. */
  readonly creations = new SessionBatch(this, "create");
  readonly associations = new SessionBatch(this, "associate");
  readonly associationsWithData = new SessionBatch(this, "associate-with-data");
  readonly renewals = new PendingRenewals();
  readonly losses = new ShardLosses();
  /** The sessions that `find` has read and for which a record is set aside. */
  readonly setAside = new WeakSet<Session>();
  /**
   * Whether the clock of this process differs too much from that of Redis. Then it purges no events, finds no expired
   * sessions, and appends events with the time of Redis.
   */
  isClockWrong = false;
  /** Lifetime of a visit's claim in ms. */
  readonly claimLife: number;
  #latest: number;

  constructor(connection: Connection, admission: Admission, options: RedisStoreOptions) {
    const { prefix, lifetimes, retention, now } = options;
    const policy = { lifetimes, retention };
    this.connection = connection;
    this.admission = admission;
    this.options = options;
    this.keys = createKeyNames(prefix);
    this.policy = policy;
    this.publishes = options.eventRetention !== null;
    this.notes = new PendingNotes(this.publishes, NOTES_PER_CHANGE * options.maxPending);
    const { anonymous, recognized } = lifetimes;
    const idleAndTotal = [anonymous.idle, anonymous.total, recognized.idle, recognized.total];
    this.policyArgs = [...idleAndTotal, policyText(policy, this.publishes)];
    this.policyLines = this.policyArgs.map((arg) => `${arg}\n`).join("");
    this.claimLife = claimLife(longestLife(lifetimes));
    this.#latest = now;
  }

  /** The latest `now` of any request to this process, Unix ms. The heartbeat stores it in Redis. */
  get latest(): number {
    return this.#latest;
  }

  /** The queues of notes that this process writes. One server needs only one, so that a reader reads only one. */
  get queues(): readonly string[] {
    return this.connection.isOneServer ? this.keys.allNotes.slice(0, 1) : this.keys.allNotes;
  }

  /** Returns the queue for the notes of a session. */
  queueOf(handle: string): string {
    return this.connection.isOneServer ? (this.keys.allNotes[0] as string) : this.keys.notes(handle);
  }

  /**
   * Returns the session of a handle about which nothing is stored (contract.md#rule-8). It has ended if what was stored may
   * have been lost: the id of a recognized or ended session must not open an anonymous one.
   */
  implicitSession(handle: string): Session {
    const session = implicitSession(handle, this.policy.lifetimes);
    return this.losses.mayInclude(handle) ? { ...session, ended: true } : session;
  }

  /** Increases `latest` to `now` if that is later. */
  advance(now: number): void {
    if (now > this.#latest) this.#latest = now;
  }

  /** Begins an operation at `now` (Unix ms). */
  begin(now = this.#latest): Operation {
    this.advance(now);
    return new Operation(this, this.connection.begin(now));
  }

  /** Begins an operation that checks the store. It is sent even while all other operations are refused. */
  beginCheck(): Operation {
    return new Operation(this, this.connection.beginCheck(this.#latest));
  }

  /**
   * Runs a change, which counts toward the limit of changes in progress. Refuses it if the limit is reached, or if too many
   * notes wait.
   */
  change<T>(now: number, change: (operation: Operation) => Promise<T>): Promise<T> {
    if (this.notes.isFull) return Promise.reject(tooManyNotes(this.notes.size));
    return this.admission.admit(() => change(this.begin(now)));
  }
}

function tooManyNotes(count: number): Refusal {
  const cause = new Error(`${count} changes still wait for their index entries and events`);
  return new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
}

/** Returns the retention, `!` if events are published, and ` name=idle/total` for each profile. All times are in ms. */
function policyText({ lifetimes: { profiles = new Map() }, retention }: RetentionPolicy, publishes: boolean): string {
  const texts = [...profiles].map(([name, { idle, total }]) => ` ${name}=${idle}/${total}`);
  return `${retention}${publishes ? "!" : ""}${texts.join("")}`;
}

/** A request to the store. Its methods send commands of different kinds, which `StepKind` explains. */
export class Operation implements TimedOperation {
  readonly engine: Engine;
  readonly keys: KeyNames;
  readonly now: number;
  readonly deadline: number;
  readonly isExempt: boolean;
  isUncertain = false;

  constructor(engine: Engine, { now, deadline, isExempt = false }: TimedOperation) {
    this.engine = engine;
    this.keys = engine.keys;
    this.now = now;
    this.deadline = deadline;
    this.isExempt = isExempt;
  }

  /** Returns an operation like this one that ends after `timeout` ms at the latest. */
  within(timeout: number): Operation {
    const { now, isExempt, isUncertain } = this;
    const deadline = Math.min(this.deadline, performance.now() + timeout);
    return new Operation(this.engine, { now, deadline, isExempt, isUncertain });
  }

  /** Sends a command for `key`. The command only reads, or writes something that may get lost. */
  command(name: string, key: string, ...args: Argument[]): Promise<unknown> {
    return this.engine.connection.command(this, "read", name, [key, ...args]);
  }

  /** Sends a command for `key` that makes the requested change. */
  write(name: string, key: string, ...args: Argument[]): Promise<unknown> {
    return this.engine.connection.command(this, "change", name, [key, ...args]);
  }

  /** Sends a command for `key` whose result must not get lost, because the requested change depends on it. */
  prepareCommand(name: string, key: string, ...args: Argument[]): Promise<unknown> {
    return this.engine.connection.command(this, "preparation", name, [key, ...args]);
  }

  /** Runs a script that only reads, or writes something that may get lost. */
  run(script: Script, keys: string[], args: Argument[]): Promise<unknown> {
    return this.engine.connection.script(this, "read", script, keys, args);
  }

  /** Runs a script whose result must not get lost, because the requested change depends on it. */
  prepare(script: Script, keys: string[], args: Argument[]): Promise<unknown> {
    return this.engine.connection.script(this, "preparation", script, keys, args);
  }

  /** Runs a script that makes the requested change. */
  change(script: Script, keys: string[], args: Argument[]): Promise<unknown> {
    return this.engine.connection.script(this, "change", script, keys, args);
  }
}
