import { setTimeout as delay } from "node:timers/promises";
import { Refusal } from "../../../session/errors.ts";
import type { Script } from "../scripts/scripts.ts";
import { createClient } from "./client.ts";
import type { Client } from "./client-port.ts";
import { type Carrier, TimedCommand } from "./command.ts";
import { faultOf, MISPLACED, NO_SUCH_COMMAND, NO_SUCH_PRIMARY, RedisFault } from "./faults.ts";
import type { NewConnection, NodeClient } from "./node-client.ts";
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
  /** Returns the client of the server that has `key`; `undefined` if no node of the cluster serves its slot. */
  nodeOf(key: string): NodeClient | undefined;
  /** Returns the clients of all primaries by their addresses. */
  primaries(): ReadonlyMap<string, NodeClient>;
  /** Sends a command that only reads to one of the primaries. */
  commandOn(operation: TimedOperation, primary: NodeClient, name: string, ...args: Argument[]): Promise<unknown>;
  /**
   * Sends a command once, for information that is not essential. Rejects with a `RedisFault`, which is not reported.
   */
  query(primary: NodeClient, name: string, ...args: Argument[]): Promise<unknown>;
  /** Refuses every operation for this reason from now on. `undefined` permits operations again. */
  hold(reason: RedisFault | undefined): void;
  /**
   * Requires a check of the data after each reconnection, because the server may have other data then. From now on,
   * each reconnection calls `reconnected`, and operations are refused until `hold` is called.
   */
  checkAfterReconnecting(reconnected: () => void): void;
  /** Calls `inspect` with each new connection to a node of a cluster, before other commands are sent on it. */
  inspectConnections(inspect: (connection: NewConnection) => Promise<void>): void;
  /**
   * Finds out which node of a cluster serves which slots, or which server is the primary behind sentinels. A server that
   * fails does not report that by itself.
   */
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

/** Time (ms) between two attempts. */
const RETRY_PAUSE = 50;
/** Codes of error replies after which a command may be sent again. The command was not carried out. */
const RETRYABLE = ["LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "READONLY", "BUSY"];
/** Codes of error replies whose cause only an operator can remove. The command was not carried out. */
const NEEDS_OPERATOR = [...["OOM", "MISCONF", "NOREPLICAS", "NOAUTH", "WRONGPASS", "NOPERM"], NO_SUCH_COMMAND];
/** Codes of connection faults for which it is useless to wait. */
const PERMANENT: readonly string[] = [NO_SUCH_PRIMARY, "NOAUTH", "WRONGPASS", "NOPERM", "DATABASE", MISPLACED];

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
  const opened = Promise.withResolvers<void>();
  let reason = new RedisFault("", noAnswer(options.place));
  let onReady = opened.resolve;
  const client = createClient(options.place, {
    ready: () => onReady(),
    failed(fault) {
      reason = fault;
      if (PERMANENT.includes(fault.code)) opened.reject(fault);
    },
  });
  const timers = [
    setTimeout(() => opened.reject(reason), openTimeout),
    setTimeout(() => waiting(reason), Math.min(options.timeout, openTimeout / 2)),
  ];
  try {
    await opened.promise;
  } catch (error) {
    client.close();
    throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
  return createConnection(client, options, (reconnected) => {
    onReady = reconnected;
  });
}

function noAnswer({ kind }: RedisPlace): string {
  return kind === "cluster" ? "no node answers, or the cluster does not serve all slots" : "no answer";
}

/** `onReconnect` sets the function that is called after each reconnection. */
function createConnection(
  client: Client,
  options: ConnectionOptions,
  onReconnect: (reconnected: () => void) => void,
): Connection {
  const { timeout, minReplicasAck, isRepeatable } = options;
  let isClosed = false;
  /** The reason for which every operation is refused, if any (`hold`). */
  let held: RedisFault | undefined;
  /** Whether the stored data still have to be checked after the last reconnection. */
  let isUnchecked = false;

  /**
   * Sends a command again until a reply arrives or repeating is useless. `target` is the client, which finds the node
   * of `key`, or the client of a node. `source` is that of the script, if the command is `EVALSHA`.
   */
  async function sendWithRetry(
    operation: TimedOperation,
    kind: StepKind,
    target: Pick<Client, "send">,
    words: string[],
    key: string,
    source?: string,
  ): Promise<unknown> {
    for (;;) {
      const command = new TimedCommand(words, operation.deadline);
      try {
        if (operation.isExempt !== true) {
          if (held !== undefined) throw refusal(operation, held);
          if (isUnchecked) throw new RedisFault("", "the data in Redis is being checked");
        }
        target.send(command, key);
        const reply = await command.reply;
        if (kind !== "read" && minReplicasAck > 0) await acknowledge(operation, command, kind);
        return reply;
      } catch (error) {
        if (error instanceof Refusal) throw error;
        const fault = faultOf(error);
        const { isReply, code } = fault;
        if (source !== undefined && words[0] === "evalsha" && isReply && code === "NOSCRIPT") {
          words.splice(0, 2, "eval", source);
          continue;
        }
        if (kind === "change" && (command.isSent || fault.mayHaveWritten)) operation.isUncertain = true;
        const needsOperator = isReply && NEEDS_OPERATOR.includes(code);
        if (isReply && !RETRYABLE.includes(code) && !needsOperator) {
          throw kind === "change" && fault.mayHaveWritten ? refusal(operation, fault) : fault;
        }
        // Moving a slot is no failure.
        if (code !== "TRYAGAIN") options.failed(fault);
        if (isReply && code === "READONLY") client.leave(command.carrier);
        const isLate = performance.now() + RETRY_PAUSE >= operation.deadline;
        if (needsOperator || isLate || !isRepeatable || isClosed) throw refusal(operation, fault);
        await delay(RETRY_PAUSE);
      }
    }
  }

  /** Makes one list of words, and no function for the repetition, because each change has such a command. */
  function script(
    operation: TimedOperation,
    kind: StepKind,
    { sha, source, keys: count }: Script,
    keys: string[],
    args: Argument[],
  ): Promise<unknown> {
    const words = ["evalsha", sha, String(count || keys.length)];
    for (const key of keys) words.push(key);
    for (const arg of args) words.push(String(arg));
    return sendWithRetry(operation, kind, client, words, keys[0] ?? "", source);
  }

  /**
   * Waits until enough replicas have the change that `command` made. `WAIT` must be sent on the connection of
   * `command`, because on another connection it returns at once.
   */
  async function acknowledge(operation: TimedOperation, command: TimedCommand, kind: StepKind) {
    const left = Math.max(1, Math.floor(operation.deadline - performance.now()));
    const wait = new TimedCommand(["wait", String(minReplicasAck), String(left)], operation.deadline);
    // A command with a reply has been sent.
    (command.carrier as Carrier).send(wait);
    const reached = await wait.reply.catch(() => 0);
    if (Number(reached) >= minReplicasAck) return;
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
    command(operation, kind, name, args) {
      const words = args.map(String);
      return sendWithRetry(operation, kind, client, [name, ...words], words[0] ?? "");
    },
    script,
    isOneServer: options.place.kind !== "cluster",
    get isReady() {
      return client.isReady;
    },
    nodeOf: (key) => client.nodeOf(key),
    primaries: () => client.primaries(),
    commandOn: (operation, primary, name, ...args) =>
      sendWithRetry(operation, "read", primary, [name, ...args.map(String)], ""),
    query(primary, name, ...args) {
      const command = new TimedCommand([name, ...args.map(String)], performance.now() + timeout);
      primary.send(command);
      return command.reply;
    },
    hold(reason) {
      held = reason;
      isUnchecked = false;
    },
    checkAfterReconnecting(reconnected) {
      onReconnect(() => {
        isUnchecked = true;
        reconnected();
      });
    },
    inspectConnections: (inspect) => client.inspectConnections(inspect),
    refresh: () => client.refresh(),
    close() {
      isClosed = true;
      client.close();
    },
  };
}

/** Creates the refusal of an operation that failed because of `cause`. */
export function refusal({ isUncertain }: TimedOperation, cause: unknown): Refusal {
  const reason = { code: "unavailable", retryAfterSeconds: 1 } as const;
  return new Refusal(isUncertain ? { ...reason, outcome: "unknown" } : reason, cause);
}
