import { setTimeout as delay } from "node:timers/promises";
import { Cluster, type Redis } from "ioredis";
import { Refusal } from "../../../session/errors.ts";
import type { Script } from "../scripts/scripts.ts";
import { type Client, createClient } from "./client.ts";
import { TimedCommand } from "./command.ts";
import { createDeadlines } from "./deadlines.ts";
import { faultOf, MISPLACED, NO_SUCH_COMMAND, NO_SUCH_PRIMARY, RedisFault } from "./faults.ts";
import type { RedisPlace } from "./place.ts";

/**
 * A request to the store with all of its steps. A step may be sent several times until its reply arrives, as
 * repeating it changes nothing; none is sent after the deadline.
 */
export interface TimedOperation {
  /** Time of the request, Unix ms. */
  readonly now: number;
  /** Time by `performance.now()` at which its caller gives up. */
  readonly deadline: number;
  /** Whether its change may have been made although no reply confirmed that. */
  isUncertain: boolean;
  /** Whether it is sent even while `hold` refuses all others. */
  readonly isExempt?: boolean;
}

/** An argument of a command. */
export type Argument = string | number;

/**
 * The role of a step. `change`: without a reply, the outcome of the operation is unknown; waits for enough replicas.
 * `preparation`: the change relies on it; waits for replicas, too. `read`: neither, even if it writes something that may
 * get lost.
 */
export type StepKind = "read" | "preparation" | "change";

/**
 * The connection to one server, a cluster, or the primary behind sentinels. What Redis cannot do before the deadline
 * is refused with `unavailable`.
 */
export interface Connection {
  begin(now: number): TimedOperation;
  /** Begins an operation that checks whether the others may continue. */
  beginCheck(now: number): TimedOperation;
  /** Sends a command; its first argument is its key. */
  command(
    operation: TimedOperation,
    kind: StepKind,
    name: string,
    args: Argument[],
  ): Promise<unknown>;
  /** Runs a script. */
  script(
    operation: TimedOperation,
    kind: StepKind,
    script: Script,
    keys: string[],
    args: Argument[],
  ): Promise<unknown>;
  /** Whether one server holds all keys, so that a script may use any of them. */
  readonly isOneServer: boolean;
  /** Whether commands can be sent now. */
  readonly isReady: boolean;
  /** Returns each primary by its address. */
  primaries(): ReadonlyMap<string, Redis>;
  /** Sends a reading command to one of the primaries. */
  commandOn(
    operation: TimedOperation,
    primary: Redis,
    name: string,
    ...args: Argument[]
  ): Promise<unknown>;
  /** Sends a command once, for optional information. Rejects with a `RedisFault`, which is not counted as a failure. */
  query(primary: Redis, name: string, ...args: Argument[]): Promise<unknown>;
  /** Refuses every operation for this reason; `undefined` ends that. */
  hold(reason: RedisFault | undefined): void;
  /**
   * From now on, after each reconnection, calls `reconnected` and refuses operations until `hold` is called, since the
   * server may hold other data now.
   */
  checkAfterReconnecting(reconnected: () => void): void;
  /** Reads the slots of a cluster again: a node that fails does not report it. */
  refresh(): void;
  close(): void;
}

export interface ConnectionOptions {
  readonly place: RedisPlace;
  /** Maximum duration of an operation in ms. */
  readonly timeout: number;
  /** Number of replicas that must acknowledge a change. */
  readonly minReplicasAck: number;
  /** Whether commands are idempotent, so that failed ones are sent again before the deadline. */
  readonly isRepeatable: boolean;
  /** Reports a failed attempt; it may be repeated. */
  failed(error: RedisFault): void;
}

/** Clients that must not connect again. */
const ended = new WeakSet<Client>();
/** Milliseconds between two attempts. */
const RETRY_PAUSE = 50;
/** Error replies for commands that were not carried out and may be sent again. */
const RETRYABLE = ["LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "READONLY", "BUSY"];
/** Error replies for commands that were not carried out, until an operator acts. */
const NEEDS_OPERATOR = [
  ...["OOM", "MISCONF", "NOREPLICAS", "NOAUTH", "WRONGPASS", "NOPERM"],
  NO_SUCH_COMMAND,
];
/** Connection faults that waiting does not cure. */
const PERMANENT: readonly string[] = [
  NO_SUCH_PRIMARY,
  "NOAUTH",
  "WRONGPASS",
  "NOPERM",
  "DATABASE",
  MISPLACED,
];

/** The last connection fault that the client reported while it is not connected. */
interface LastFault {
  fault: RedisFault | undefined;
}

/**
 * Connects. Rejects with the last `RedisFault` if that takes longer than `openTimeout` ms, and at once with a fault that
 * waiting does not cure. Calls `waiting` if it takes longer than one operation may.
 */
export async function connect(
  options: ConnectionOptions,
  openTimeout: number,
  waiting: (fault: RedisFault) => void,
): Promise<Connection> {
  const client = createClient(options.place);
  const last: LastFault = { fault: undefined };
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => undefined);
  client.on("error", (error: unknown) => {
    // The ready check selects the database again, and reports more.
    if (isOfSelect(error) || isSentinelSummary(error)) return;
    const fault = faultOf(error);
    last.fault = fault;
    if (PERMANENT.includes(fault.code)) refused.reject(fault);
  });
  for (const event of ["sentinelError", "node error"]) {
    client.on(event, (error: unknown) => {
      if (client.status !== "ready") last.fault = faultOf(error);
    });
  }
  client.on("ready", () => {
    last.fault = undefined;
  });
  client.on("end", () => {
    // The client may give up, as when a failover is announced while it connects. Only `close` ends it.
    if (!ended.has(client))
      setTimeout(() => void client.connect().catch(() => undefined), RETRY_PAUSE);
  });
  const opening = client.connect();
  const reason = () => last.fault ?? new RedisFault("", noAnswer(options.place));
  const timers = [
    setTimeout(() => refused.reject(reason()), openTimeout),
    setTimeout(() => waiting(reason()), Math.min(options.timeout, openTimeout / 2)),
  ];
  try {
    await Promise.race([opening.then(() => undefined, ready), refused.promise]);
  } catch (error) {
    ended.add(client);
    client.disconnect();
    throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
  return createConnection(client, options, last);

  /** Waits for the client, which tries again by itself after a first failure. */
  function ready(): Promise<void> {
    return new Promise((resolve) => client.once("ready", resolve));
  }
}

function noAnswer({ kind }: RedisPlace): string {
  return kind === "cluster"
    ? "no node answers, or the cluster does not serve all slots"
    : "no answer";
}

function isOfSelect(error: unknown): boolean {
  return (error as { command?: { name?: string } }).command?.name === "select";
}

/** Whether the error only says that all sentinels failed. Earlier errors say why. */
function isSentinelSummary(error: unknown): boolean {
  const { message = "" } = error as { message?: string };
  return message.startsWith("All sentinels are unreachable") && !message.includes("Last error");
}

function createConnection(client: Client, options: ConnectionOptions, last: LastFault): Connection {
  const { timeout, minReplicasAck, isRepeatable } = options;
  const deadlines = createDeadlines();
  let held: RedisFault | undefined;
  /** Whether the data have not been checked since the last reconnection. */
  let isUnchecked = false;

  function notConnected(): RedisFault {
    const { code = "", message = "the connection is being made" } = last.fault ?? {};
    return new RedisFault(code, `not connected to Redis: ${message}`);
  }

  /** Sends a command once. Rejects with a `RedisFault`, also at its deadline. */
  async function send(
    target: Pick<Redis, "sendCommand">,
    command: TimedCommand,
    slot?: number,
  ): Promise<unknown> {
    // Otherwise the client would keep the command for the whole outage.
    if (client.status !== "ready") throw notConnected();
    deadlines.add(command);
    try {
      if (slot === undefined) target.sendCommand(command);
      else (client as Cluster).sendCommand(command, undefined, { slot });
      return await command.promise;
    } catch (error) {
      throw faultOf(error);
    } finally {
      deadlines.remove(command);
    }
  }

  /** Sends new commands from `make` until one gets a reply. */
  async function sendWithRetry(
    operation: TimedOperation,
    kind: StepKind,
    target: Pick<Redis, "sendCommand">,
    make: () => TimedCommand,
  ): Promise<unknown> {
    for (;;) {
      const command = make();
      try {
        if (operation.isExempt !== true) {
          if (held !== undefined) throw refusal(operation, held);
          if (isUnchecked) throw new RedisFault("", "the data in Redis is being checked");
        }
        const reply = await send(target, command);
        if (kind !== "read" && minReplicasAck > 0) await acknowledge(operation, command, kind);
        return reply;
      } catch (error) {
        const isReply = error instanceof RedisFault && error.isReply;
        if (isReply && error.code === "NOSCRIPT") throw error;
        const mayHaveWritten = isReply && error.mayHaveWritten;
        if (kind === "change" && (command.writes > (isReply ? 1 : 0) || mayHaveWritten)) {
          operation.isUncertain = true;
        }
        if (error instanceof Refusal) throw error;
        const fault = faultOf(error);
        const needsOperator = isReply && NEEDS_OPERATOR.includes(fault.code);
        if (isReply && !RETRYABLE.includes(fault.code) && !needsOperator) {
          throw kind === "change" && mayHaveWritten ? refusal(operation, fault) : fault;
        }
        options.failed(fault);
        const isLate = performance.now() + RETRY_PAUSE >= operation.deadline;
        const isOver = isLate || !isRepeatable || ended.has(client);
        if (needsOperator || isOver) throw refusal(operation, fault);
        await delay(RETRY_PAUSE);
      }
    }
  }

  async function script(
    operation: TimedOperation,
    kind: StepKind,
    { sha, source, keys: count }: Script,
    keys: string[],
    args: Argument[],
  ): Promise<unknown> {
    const rest = [String(count || keys.length), ...keys, ...args.map(String)];
    const command = (name: string, body: string) =>
      sendWithRetry(operation, kind, client, () => timed(operation, name, [body, ...rest]));
    try {
      return await command("evalsha", sha);
    } catch (error) {
      if (!(error instanceof RedisFault) || error.code !== "NOSCRIPT") throw error;
      return command("eval", source);
    }
  }

  /**
   * Waits until enough replicas have the change of `command`. Must use the same connection: on another one, `WAIT`
   * returns at once.
   */
  async function acknowledge(operation: TimedOperation, command: TimedCommand, kind: StepKind) {
    const left = Math.max(1, Math.floor(operation.deadline - performance.now()));
    const wait = timed(operation, "wait", [String(minReplicasAck), String(left)]);
    const slot = client instanceof Cluster ? slotOf(command) : undefined;
    const reached = await send(client as Redis, wait, slot).catch(() => 0);
    if (wait.stream === command.stream && Number(reached) >= minReplicasAck) return;
    if (kind === "change") operation.isUncertain = true;
    throw refusal(operation, new RedisFault("", `${Number(reached)} replicas have the change`));
  }

  return {
    begin: (now) => ({ now, deadline: performance.now() + timeout, isUncertain: false }),
    beginCheck: (now) => ({
      now,
      deadline: performance.now() + timeout,
      isUncertain: false,
      isExempt: true,
    }),
    command: (operation, kind, name, args) =>
      sendWithRetry(operation, kind, client, () => timed(operation, name, args.map(String))),
    script,
    isOneServer: !(client instanceof Cluster),
    get isReady() {
      return client.status === "ready";
    },
    primaries() {
      const nodes = client instanceof Cluster ? client.nodes("master") : [client];
      return new Map(
        nodes
          .map((node) => [`${node.options.host}:${node.options.port}`, node] as const)
          .toSorted(([a], [b]) => (a < b ? -1 : 1)),
      );
    },
    commandOn: (operation, primary, name, ...args) =>
      sendWithRetry(operation, "read", primary, () => timed(operation, name, args.map(String))),
    query: (primary, name, ...args) =>
      send(primary, new TimedCommand(name, args.map(String), performance.now() + timeout)),
    hold(reason) {
      held = reason;
      isUnchecked = false;
    },
    checkAfterReconnecting(reconnected) {
      client.on("ready", () => {
        isUnchecked = true;
        reconnected();
      });
    },
    refresh() {
      if (client instanceof Cluster && client.status === "ready") client.refreshSlotsCache();
    },
    close() {
      ended.add(client);
      client.disconnect();
    },
  };
}

function timed(operation: TimedOperation, name: string, args: string[]): TimedCommand {
  return new TimedCommand(name, args, operation.deadline);
}

function slotOf(command: TimedCommand): number {
  return command.getSlot() ?? 0;
}

/** Creates the refusal of an operation that failed because of `cause`. */
export function refusal({ isUncertain }: TimedOperation, cause: unknown): Refusal {
  const reason = { code: "unavailable", retryAfterSeconds: 1 } as const;
  return new Refusal(isUncertain ? { ...reason, outcome: "unknown" } : reason, cause);
}
