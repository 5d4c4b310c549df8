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
 * A request to the store, which consists of one or more steps. A step may be sent again until its reply arrives,
 * because repeating a step changes nothing. No step is sent after the deadline.
 */
export interface TimedOperation {
  /** Time of the request, Unix ms. */
  readonly now: number;
  /** Time on the clock of `performance.now()` at which the caller gives up. */
  readonly deadline: number;
  /** Whether the change may have been made although no reply has confirmed that. */
  isUncertain: boolean;
  /** Whether the operation is sent even while all other operations are refused (`Connection.hold`). */
  readonly isExempt?: boolean;
}

/** An argument of a command. */
export type Argument = string | number;

/**
 * The kind of a step.
 * - `change`: makes the requested change, and waits until enough replicas have it. If the step gets no reply, the
 *   outcome of the operation is unknown.
 * - `preparation`: writes something on which the change depends, and waits until enough replicas have it.
 * - `read`: reads, or writes something that may get lost. Does not wait for replicas.
 */
export type StepKind = "read" | "preparation" | "change";

/**
 * The connection to Redis: to one server, to a cluster, or to the primary behind sentinels. If Redis does not carry out
 * a command before the deadline, the connection rejects with the refusal `unavailable`.
 */
export interface Connection {
  /** Begins an operation at `now` (Unix ms). */
  begin(now: number): TimedOperation;
  /** Begins an operation that checks the store. It is sent even while all other operations are refused. */
  beginCheck(now: number): TimedOperation;
  /** Sends a command. The first of `args` is its key. */
  command(operation: TimedOperation, kind: StepKind, name: string, args: Argument[]): Promise<unknown>;
  /** Runs a script. */
  script(operation: TimedOperation, kind: StepKind, script: Script, keys: string[], args: Argument[]): Promise<unknown>;
  /** Whether one server holds all keys, so that a script may use keys of several slots. */
  readonly isOneServer: boolean;
  /** Whether commands can be sent now. */
  readonly isReady: boolean;
  /** Returns the clients of all primaries by their addresses. */
  primaries(): ReadonlyMap<string, Redis>;
  /** Sends a command that only reads to one of the primaries. */
  commandOn(operation: TimedOperation, primary: Redis, name: string, ...args: Argument[]): Promise<unknown>;
  /**
   * Sends a command once, for information that is not essential. Rejects with a `RedisFault`, which is not reported.
   */
  query(primary: Redis, name: string, ...args: Argument[]): Promise<unknown>;
  /** Refuses every operation for this reason from now on. `undefined` permits operations again. */
  hold(reason: RedisFault | undefined): void;
  /**
   * Requires a check of the data after each reconnection, because the server may have other data then. From now on,
   * each reconnection calls `reconnected`, and operations are refused until `hold` is called.
   */
  checkAfterReconnecting(reconnected: () => void): void;
  /** Reads again which node of a cluster serves which slots. A node that fails does not report that by itself. */
  refresh(): void;
  close(): void;
}

export interface ConnectionOptions {
  readonly place: RedisPlace;
  /** Maximum duration of an operation in ms. */
  readonly timeout: number;
  /** Number of replicas that must acknowledge a change; 0 to wait for none. */
  readonly minReplicasAck: number;
  /** Whether commands are idempotent. If they are, a failed command is sent again until the deadline. */
  readonly isRepeatable: boolean;
  /** Reports that a command failed. It may be sent again. */
  failed(error: RedisFault): void;
}

/** Clients that were closed and must not connect again. */
const ended = new WeakSet<Client>();
/** Time (ms) between two attempts. */
const RETRY_PAUSE = 50;
/** Codes of error replies after which a command may be sent again. The command was not carried out. */
const RETRYABLE = ["LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "READONLY", "BUSY"];
/** Codes of error replies whose cause only an operator can remove. The command was not carried out. */
const NEEDS_OPERATOR = [...["OOM", "MISCONF", "NOREPLICAS", "NOAUTH", "WRONGPASS", "NOPERM"], NO_SUCH_COMMAND];
/** Codes of connection faults for which it is useless to wait. */
const PERMANENT: readonly string[] = [NO_SUCH_PRIMARY, "NOAUTH", "WRONGPASS", "NOPERM", "DATABASE", MISPLACED];

/** Holder of the last fault that the client has reported since it lost the connection. */
interface LastFault {
  fault: RedisFault | undefined;
}

/**
 * Connects. Rejects with the last `RedisFault` after `openTimeout` ms, or at once if it is useless to wait. While
 * connecting takes long, calls `waiting` once: after the timeout of an operation or half of `openTimeout`, whichever is
 * earlier.
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
    // `ready-check.ts` also selects the database. The error that it throws says more than this one.
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
    // The client may stop connecting by itself, such as when sentinels announce a failover meanwhile. Then start it
    // again.
    if (!ended.has(client)) setTimeout(() => void client.connect().catch(() => undefined), RETRY_PAUSE);
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

  /** Waits until the client is ready. After a failed attempt, the client itself tries again. */
  function ready(): Promise<void> {
    return new Promise((resolve) => client.once("ready", resolve));
  }
}

function noAnswer({ kind }: RedisPlace): string {
  return kind === "cluster" ? "no node answers, or the cluster does not serve all slots" : "no answer";
}

/** Returns whether the error is the reply to a SELECT. */
function isOfSelect(error: unknown): boolean {
  return (error as { command?: { name?: string } }).command?.name === "select";
}

/** Returns whether the error only says that all sentinels failed, without a reason. Earlier errors have the reasons. */
function isSentinelSummary(error: unknown): boolean {
  const { message = "" } = error as { message?: string };
  return message.startsWith("All sentinels are unreachable") && !message.includes("Last error");
}

function createConnection(client: Client, options: ConnectionOptions, last: LastFault): Connection {
  const { timeout, minReplicasAck, isRepeatable } = options;
  const deadlines = createDeadlines();
  /** The reason for which every operation is refused, if any (`hold`). */
  let held: RedisFault | undefined;
  /** Whether the stored data still have to be checked after the last reconnection. */
  let isUnchecked = false;

  function notConnected(): RedisFault {
    const { code = "", message = "the connection is being made" } = last.fault ?? {};
    return new RedisFault(code, `not connected to Redis: ${message}`);
  }

  /** Sends a command once. Rejects with a `RedisFault` if the command fails or its deadline passes. */
  async function send(target: Pick<Redis, "sendCommand">, command: TimedCommand, slot?: number): Promise<unknown> {
    // Fails at once. Otherwise the client would keep the command until the outage is over.
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

  /** Sends a command again until a reply arrives or repeating is useless. `make` creates a command for each attempt. */
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
   * Waits until enough replicas have the change that `command` made. `WAIT` must be sent on the connection of
   * `command`, because on another connection it returns at once.
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
