import { safeMessage } from "../../../logging/safe-error.ts";
import { scripts } from "../scripts/scripts.ts";
import type { ReplyError } from "./resp.ts";

/**
 * A failure of Redis or of the connection to it. The message may be logged, because it never contains arguments of
 * commands. Redis' own error replies may contain them.
 */
export class RedisFault extends Error {
  override readonly name = "RedisFault";
  /** The first word of the error reply, such as `OOM`, or the code of the connection's error. */
  readonly code: string;
  /** Whether the fault is an error reply. Then the command was not carried out, unless `mayHaveWritten` is true. */
  readonly isReply: boolean;
  /** Whether the fault is that of a script which may have written something before it failed. */
  readonly mayHaveWritten: boolean;

  constructor(code: string, message: string, isReply = false, mayHaveWritten = false) {
    super(message);
    this.code = code;
    this.isReply = isReply;
    this.mayHaveWritten = mayHaveWritten;
  }
}

/** Code for a server of another kind than configured, such as a node of a cluster instead of a single server. */
export const MISPLACED = "MISPLACED";

/** Code for sentinels that know no primary of the configured name. */
export const NO_SUCH_PRIMARY = "NO_SUCH_PRIMARY";

/** Code for a command that the server does not know, because it is renamed, disabled or newer than the server. */
export const NO_SUCH_COMMAND = "NO_SUCH_COMMAND";

/** Messages for error replies, by the first word of the reply. */
const replies: Readonly<Record<string, string>> = {
  OOM: "OOM: Redis has reached its maxmemory and takes no writes; give it more memory",
  READONLY:
    "READONLY: this is a replica, which takes no writes; name the primary, the sentinels (redis+sentinel) or the cluster (redis+cluster)",
  MISCONF: "MISCONF: Redis cannot save its data on its disk and takes no writes; see its own log",
  NOREPLICAS: "NOREPLICAS: fewer replicas than min-replicas-to-write are connected",
  NOAUTH:
    "NOAUTH: Redis asks for a password and none is configured; write it in front of the hosts in store, as user:password@ or :password@",
  WRONGPASS:
    "WRONGPASS: Redis refuses the user or the password; check both in store (special characters are written as %XX)",
  LOADING: "LOADING: Redis is still loading its data",
  MASTERDOWN: "MASTERDOWN: this is a replica whose primary is unavailable",
  CLUSTERDOWN: "CLUSTERDOWN: the cluster does not serve all slots",
  TRYAGAIN: "TRYAGAIN: the cluster is moving a slot",
  MOVED: "MOVED: this is a node of a cluster; name it as redis+cluster://",
  ASK: "ASK: this is a node of a cluster; name it as redis+cluster://",
  CROSSSLOT: "CROSSSLOT: this is a node of a cluster; name it as redis+cluster://",
  BUSY: "BUSY: a script of another client runs for too long",
  NOSCRIPT: "NOSCRIPT: Redis does not know the script",
  WRONGTYPE: "WRONGTYPE: a key with our prefix holds something else; choose another redisPrefix",
  UNKILLABLE: "UNKILLABLE: a script cannot be stopped",
  NOPROTO: "NOPROTO: Redis does not speak this protocol",
  DENIED: "DENIED: Redis runs in protected mode and refuses other machines",
};

/** Messages for error replies whose first word is `ERR`, by patterns of the reply. */
const errors: readonly (readonly [pattern: RegExp, message: string])[] = [
  [/^ERR (?:DB index is out of range|invalid DB index)/, "Redis has no database of this number"],
  [/^ERR SELECT is not allowed in cluster mode/, "a cluster has no numbered databases"],
  [/cluster support disabled/i, "this Redis is no cluster; name it as redis:// or redis+sentinel://"],
  [/^ERR max number of clients reached/, "Redis has reached its maxclients"],
  [/^ERR wrong number of arguments/, "Redis does not know the command with so many arguments"],
  [/^ERR .*[Cc]ompiling script/, "Redis cannot compile a script"],
  [/^ERR .*(?:user_script|running script|call to f_)/, "a script failed in Redis"],
  [/^ERR value is not an integer/, "ERR: a value is no integer or out of range"],
  [/^ERR Protocol error/, "ERR: protocol error"],
];

const FROM_SERVER = ["NOPERM", "ERR", "DATABASE", "MAXCLIENTS", MISPLACED, NO_SUCH_COMMAND, NO_SUCH_PRIMARY];

/** Returns whether the fault proves that a Redis server was reached. Then the configured address is right. */
export function cameFromServer({ code }: RedisFault): boolean {
  return code in replies || FROM_SERVER.includes(code);
}

/** Returns the fault of a server whose replies do not follow the protocol of Redis. */
export function notRedis(): RedisFault {
  const text = "what answers there is not Redis, or Redis with TLS; check the address, and use rediss for TLS";
  return new RedisFault("", text);
}

/** Converts an error of a socket, or any other error of the connection, into a fault. */
export function faultOf(error: unknown): RedisFault {
  if (error instanceof RedisFault) return error;
  // A name with several addresses: the last one that was tried gives the reason.
  const last: unknown = error instanceof AggregateError ? error.errors.at(-1) : undefined;
  if (last !== undefined) return faultOf(last);
  const { code } = error as { readonly code?: unknown };
  // Node adds advice about its own flags, which the launcher does not pass on.
  const message = safeMessage(error).replace(/; if the root CA is installed locally.*/, "");
  return new RedisFault(typeof code === "string" ? code : "", message);
}

/** Converts the error reply to a command of this name. */
export function faultOfReply({ text }: ReplyError, command: string): RedisFault {
  const word = /^[A-Z]{2,20}/.exec(text)?.[0] ?? "";
  // This is the only error reply that shows that the server is of another kind than configured.
  const code = /cluster support disabled/i.test(text) ? MISPLACED : (specificCode(text) ?? word);
  // Ensures that the message contains a command name at most, and never an argument.
  const sent = /^[a-z|]{1,30}$/i.exec(command)?.[0].toUpperCase();
  const position = /(\w{40}), on @user_script:(\d{1,4})/.exec(text);
  const name = position === null ? sent : commandAt(position[1], Number(position[2]));
  // With these codes, Redis refuses a script before it has written anything.
  const isEarly = ["OOM", "READONLY", "MISCONF", "NOREPLICAS", "NOSCRIPT"].includes(code);
  const mayHaveWritten = !isEarly && /user_script/.test(text);
  return new RedisFault(code, textOfReply(code, text, name), true, mayHaveWritten);
}

/** Returns a more specific code from the text of a reply, because all error replies of scripts begin with `ERR`. */
function specificCode(message: string): string | undefined {
  if (message.startsWith("ERR The user executing the script can't")) return "NOPERM";
  if (message.startsWith("ERR max number of clients")) return "MAXCLIENTS";
  return /^ERR (?:unknown (?:sub)?command|Unknown Redis command)/.test(message) ? NO_SUCH_COMMAND : undefined;
}

/** Returns the name of the command that is called in line `line` (from 1) of the script with this SHA-1. */
function commandAt(sha: string | undefined, line: number): string | undefined {
  const source = Object.values(scripts).find((script) => script.sha === sha)?.source ?? "";
  return /redis\.p?call\('([A-Z]+)'/.exec(source.split("\n")[line - 1] ?? "")?.[1];
}

function textOfReply(code: string, message: string, name: string | undefined): string {
  if (code === "NOPERM") {
    const isOfKeys = name === undefined || /\bkeys?\b/.test(message);
    const what = isOfKeys ? "use keys that are needed" : `run ${name}`;
    return `NOPERM: the user of Redis has no right to ${what}; see the least rights in docs/operating.md`;
  }
  if (code === NO_SUCH_COMMAND) {
    return `Redis does not know the command${name === undefined ? "" : ` ${name}`}; it is renamed or disabled there, or this is not Redis 7 or Valkey`;
  }
  const known = replies[code] ?? errors.find(([pattern]) => pattern.test(message))?.[1];
  if (known === undefined) {
    return `Redis refuses ${name ?? "a command"}${code === "" ? "" : ` with ${code}`}; see its own log`;
  }
  const line = /user_script:\s?(\d{1,4})/.exec(message)?.[1];
  return code === "ERR" && line !== undefined ? `${known} (line ${line})` : known;
}

/** Adds to the fault of the last node that no node of the cluster can be used. */
export function faultOfNodes(fault: RedisFault): RedisFault {
  if (fault.code === MISPLACED) return new RedisFault(fault.code, fault.message);
  return new RedisFault(fault.code, `no node of the cluster can be used; ${fault.message}`);
}

/** Returns the fault for sentinels of which none names a primary. `fault` is that of the last sentinel, if any has one. */
export function faultOfSentinels(fault: RedisFault | undefined): RedisFault {
  if (fault === undefined)
    return new RedisFault(NO_SUCH_PRIMARY, "the sentinels know no primary of the name in the address");
  const { code } = fault;
  if (code === MISPLACED) return fault;
  if (["WRONGPASS", "NOAUTH", "NOPERM"].includes(code)) {
    const text = `${code}: the sentinels refuse the user or the password; see sentinelUsername and sentinelPassword`;
    return new RedisFault(code, text);
  }
  return new RedisFault(code, `no sentinel can be reached${code === "" ? "" : ` (${code})`}`);
}
