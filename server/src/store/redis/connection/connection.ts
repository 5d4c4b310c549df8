import { setTimeout as delay } from "node:timers/promises";
import { Cluster, type Redis } from "ioredis";
import { Refusal } from "../../../session/errors.ts";
import type { Script } from "../scripts/scripts.ts";
import { type Client, createClient, type RedisPlace } from "./client.ts";
import { TimedCommand } from "./command.ts";
import { createDeadlines } from "./deadlines.ts";
import { faultOf, MISPLACED, NO_SUCH_COMMAND, NO_SUCH_PRIMARY, RedisFault } from "./faults.ts";

/**
 * What a caller waits for, with all of its steps. Each step may be sent several times until its answer
 * comes, as the same again changes nothing; none is sent after the deadline.
 */
export interface Operation {
  /** The time of all of it, milliseconds since 1970. */
  readonly now: number;
  /** When its caller gives up, by `performance.now()`. */
  readonly until: number;
  /** Whether what it is to change may have been changed without its knowing. */
  isUncertain: boolean;
  /** Whether it is carried out while the others are held back. */
  readonly isExempt?: true;
}

/** A word of a command. */
export type Word = string | number;

/** The servers, as one. What they cannot do in time is refused with `unavailable`. */
export interface Connection {
  begin(now: number): Operation;
  /** Begins an operation that checks whether the others may continue. */
  beginCheck(now: number): Operation;
  /** Sends a command of which `key` is the key. */
  command(operation: Operation, name: string, key: string, ...words: Word[]): Promise<unknown>;
  run(operation: Operation, script: Script, keys: string[], words: Word[]): Promise<unknown>;
  /** `run` of a step that the change relies on: it counts when enough replicas have it, too. */
  prepare(operation: Operation, script: Script, keys: string[], words: Word[]): Promise<unknown>;
  /** `run` of the step that makes the change: without an answer, its outcome is unknown. */
  change(operation: Operation, script: Script, keys: string[], words: Word[]): Promise<unknown>;
  /** `change` by a command. */
  write(operation: Operation, name: string, key: string, ...words: Word[]): Promise<unknown>;
  /** Whether one server has all keys, so that a script may use any of them. */
  readonly isOneServer: boolean;
  /** Whether there is anybody to send to. */
  readonly isReady: boolean;
  /** Each primary by its address. */
  primaries(): ReadonlyMap<string, Redis>;
  /** Sends a command to one of the primaries. */
  ask(operation: Operation, primary: Redis, name: string, ...words: Word[]): Promise<unknown>;
  /** Like `ask`, but once, for optional information: a refusal is not a failure, and rejects with its `RedisFault`. */
  enquire(primary: Redis, name: string, ...words: Word[]): Promise<unknown>;
  /** Refuses every operation for this reason; `undefined` ends that. */
  hold(reason: RedisFault | undefined): void;
  /**
   * From now on, after each reconnection, calls `reconnected` and holds operations back until `hold` is called,
   * since the data may be other data now.
   */
  checkAfterReconnecting(reconnected: () => void): void;
  /** Asks the nodes of a cluster who serves what: one that is silent does not tell. */
  refresh(): void;
  close(): void;
}

export interface ConnectionOptions {
  readonly place: RedisPlace;
  /** How long (ms) an operation may take. */
  readonly timeout: number;
  /** How many replicas must have a change before it counts. */
  readonly minReplicasAck: number;
  /** Whether the same again changes nothing, so that what failed may be tried again in time. */
  readonly isRepeatable: boolean;
  /** An attempt failed; it may be made again. */
  failed(error: RedisFault): void;
}

/** What a step is for: the change itself, what it relies on, or neither. */
type Kind = "look" | "preparation" | "change";

/** Clients that are not to connect again. */
const ended = new WeakSet<Client>();
/** Milliseconds between two attempts. */
const RETRY_PAUSE = 50;
/** Replies that say: not carried out, ask again. */
const LATER = ["LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "READONLY", "BUSY"];
/** Replies that say: not carried out, for a reason that somebody must mend. */
const NOT_NOW = [
  ...["OOM", "MISCONF", "NOREPLICAS", "NOAUTH", "WRONGPASS", "NOPERM"],
  NO_SUCH_COMMAND,
];
/** Faults of a connection that do not go away by waiting. */
const DEFINITE: readonly string[] = [
  NO_SUCH_PRIMARY,
  "NOAUTH",
  "WRONGPASS",
  "NOPERM",
  "DATABASE",
  MISPLACED,
];

/** Why there is no connection, as far as the client has reported it. */
interface Trouble {
  fault: RedisFault | undefined;
}

/**
 * Connects; rejects with the last `RedisFault` if that takes longer than `patience` ms, and at once
 * with a fault that does not go away by waiting. Calls `waiting` if it takes longer than one operation may.
 */
export async function connect(
  options: ConnectionOptions,
  patience: number,
  waiting: (fault: RedisFault) => void,
): Promise<Connection> {
  const client = createClient(options.place);
  const trouble: Trouble = { fault: undefined };
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => undefined);
  client.on("error", (error: unknown) => {
    // The check of the connection does the same later, and reports more.
    if (isOfSelect(error) || isRoundOfSentinels(error)) return;
    const fault = faultOf(error);
    trouble.fault = fault;
    if (DEFINITE.includes(fault.code)) refused.reject(fault);
  });
  for (const event of ["sentinelError", "node error"]) {
    client.on(event, (error: unknown) => {
      if (client.status !== "ready") trouble.fault = faultOf(error);
    });
  }
  client.on("ready", () => {
    trouble.fault = undefined;
  });
  client.on("end", () => {
    // The client may give up, as when a failover is announced while it connects. It is we who end it.
    if (!ended.has(client))
      setTimeout(() => void client.connect().catch(() => undefined), RETRY_PAUSE);
  });
  const opening = client.connect();
  const reason = () => trouble.fault ?? new RedisFault("", noAnswer(options.place));
  const timers = [
    setTimeout(() => refused.reject(reason()), patience),
    setTimeout(() => waiting(reason()), Math.min(options.timeout, patience / 2)),
  ];
  try {
    await Promise.race([opening.then(() => "there" as const, ready), refused.promise]);
  } catch (error) {
    ended.add(client);
    client.disconnect();
    throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
  return createConnection(client, options, trouble);

  /** The client goes on by itself after a first failure. */
  async function ready(): Promise<"there"> {
    await new Promise<void>((resolve) => client.once("ready", resolve));
    return "there";
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

/** Whether it only says that all sentinels failed, which earlier errors explain: each may have been reached. */
function isRoundOfSentinels(error: unknown): boolean {
  const { message = "" } = error as { message?: string };
  return message.startsWith("All sentinels are unreachable") && !message.includes("Last error");
}

function createConnection(
  client: Client,
  options: ConnectionOptions,
  trouble: Trouble,
): Connection {
  const { timeout, minReplicasAck, isRepeatable } = options;
  const deadlines = createDeadlines();
  let held: RedisFault | undefined;
  /** Whether the data have not been checked yet since the last connection. */
  let isUnchecked = false;

  function notConnected(): RedisFault {
    const { code = "", message = "the connection is being made" } = trouble.fault ?? {};
    return new RedisFault(code, `not connected to Redis: ${message}`);
  }

  /** Sends one command; rejects with a `RedisFault`, also if no reply comes in time. */
  async function issue(
    target: Pick<Redis, "sendCommand">,
    command: TimedCommand,
    slot?: number,
  ): Promise<unknown> {
    // What cannot be sent now is not left with the client, which would keep it for a long outage.
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

  /** Sends what `make` makes until there is an answer. */
  async function insist(
    operation: Operation,
    kind: Kind,
    target: Pick<Redis, "sendCommand">,
    make: () => TimedCommand,
  ): Promise<unknown> {
    for (;;) {
      const command = make();
      try {
        if (operation.isExempt === undefined) {
          if (held !== undefined) throw refusal(operation, held);
          if (isUnchecked) throw new RedisFault("", "the data in Redis is being checked");
        }
        const reply = await issue(target, command);
        if (kind !== "look" && minReplicasAck > 0) await acknowledge(operation, command, kind);
        return reply;
      } catch (error) {
        const isReply = error instanceof RedisFault && error.isReply;
        if (isReply && error.code === "NOSCRIPT") throw error;
        const isHalfway = isReply && error.mayHaveWritten;
        if (kind === "change" && (command.writes > (isReply ? 1 : 0) || isHalfway)) {
          operation.isUncertain = true;
        }
        if (error instanceof Refusal) throw error;
        const fault = faultOf(error);
        const isHopeless = isReply && NOT_NOW.includes(fault.code);
        if (isReply && !LATER.includes(fault.code) && !isHopeless) {
          throw kind === "change" && isHalfway ? refusal(operation, fault) : fault;
        }
        options.failed(fault);
        const isLate = performance.now() + RETRY_PAUSE >= operation.until;
        const isOver = isLate || !isRepeatable || ended.has(client);
        if (isHopeless || isOver) throw refusal(operation, fault);
        await delay(RETRY_PAUSE);
      }
    }
  }

  async function script(
    operation: Operation,
    kind: Kind,
    { sha, source, keys: count }: Script,
    keys: string[],
    words: Word[],
  ): Promise<unknown> {
    const rest = [String(count || keys.length), ...keys, ...words.map(String)];
    const command = (name: string, what: string) =>
      insist(operation, kind, client, () => timed(operation, name, [what, ...rest]));
    try {
      return await command("evalsha", sha);
    } catch (error) {
      if (!(error instanceof RedisFault) || error.code !== "NOSCRIPT") throw error;
      return command("eval", source);
    }
  }

  /**
   * Waits until enough replicas have what `command` changed. It must go the same way: another
   * connection has nothing to wait for, and would be told so at once.
   */
  async function acknowledge(
    operation: Operation,
    command: TimedCommand,
    kind: Kind,
  ): Promise<void> {
    const left = Math.max(1, Math.floor(operation.until - performance.now()));
    const wait = timed(operation, "wait", [String(minReplicasAck), String(left)]);
    const slot = client instanceof Cluster ? slotOf(command) : undefined;
    const reached = await issue(client as Redis, wait, slot).catch(() => 0);
    if (wait.stream === command.stream && Number(reached) >= minReplicasAck) return;
    if (kind === "change") operation.isUncertain = true;
    throw refusal(operation, new RedisFault("", `${Number(reached)} replicas have the change`));
  }

  return {
    begin: (now) => ({ now, until: performance.now() + timeout, isUncertain: false }),
    beginCheck: (now) => ({
      now,
      until: performance.now() + timeout,
      isUncertain: false,
      isExempt: true,
    }),
    command: (operation, name, ...words) =>
      insist(operation, "look", client, () => timed(operation, name, words.map(String))),
    write: (operation, name, ...words) =>
      insist(operation, "change", client, () => timed(operation, name, words.map(String))),
    run: (operation, ...rest) => script(operation, "look", ...rest),
    prepare: (operation, ...rest) => script(operation, "preparation", ...rest),
    change: (operation, ...rest) => script(operation, "change", ...rest),
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
    ask: (operation, primary, name, ...words) =>
      insist(operation, "look", primary, () => timed(operation, name, words.map(String))),
    enquire: (primary, name, ...words) =>
      issue(primary, new TimedCommand(name, words.map(String), performance.now() + timeout)),
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

function timed(operation: Operation, name: string, words: string[]): TimedCommand {
  return new TimedCommand(name, words, operation.until);
}

function slotOf(command: TimedCommand): number {
  return command.getSlot() ?? 0;
}

/** What an operation is refused with that could not be carried out for the reason `cause`. */
export function refusal({ isUncertain }: Operation, cause: unknown): Refusal {
  const reason = { code: "unavailable", retryAfterSeconds: 1 } as const;
  return new Refusal(isUncertain ? { ...reason, outcome: "unknown" } : reason, cause);
}
