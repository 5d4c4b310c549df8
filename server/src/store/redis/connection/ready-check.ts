import { setTimeout as delay } from "node:timers/promises";
import { faultOf, MISPLACED, NO_SUCH_COMMAND, RedisFault } from "./faults.ts";
import type { NodeConnection } from "./node-connection.ts";

/*
 * Prepares and checks every new connection before any other command is sent on it:
 * - The user and the password are sent.
 * - The server is of the expected kind: a single server, a node of a cluster, a primary behind sentinels, a sentinel.
 * - The connection uses the configured database.
 * - The server has loaded its data.
 */

/** The expectations of a connection. */
export interface Expectation {
  readonly kind: "single" | "cluster" | "primary" | "sentinel";
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

/** Time (ms) between two queries to a server that is loading its data. */
const LOADING_PAUSE = 100;

/** Checks a new connection. Rejects with a `RedisFault` if it cannot be used. */
export async function check(connection: NodeConnection, expected: Expectation): Promise<void> {
  await connection.opened;
  try {
    await authenticate(connection, expected);
    const { mode, role } = await introduce(connection);
    const misplaced = misplacement(expected.kind, mode);
    if (misplaced !== undefined) throw new RedisFault(MISPLACED, misplaced);
    if (expected.kind === "primary" && role !== undefined && role !== "master") {
      throw new RedisFault("", "the server that the sentinels name is not the primary yet");
    }
    if (expected.database > 0) await select(connection, expected.database);
    while (expected.kind !== "sentinel" && (await isLoading(connection))) await delay(LOADING_PAUSE);
  } catch (error) {
    // A fault of the connection, so that no waiting command takes it for its reply.
    const { code, message } = faultOf(error);
    throw new RedisFault(code, message);
  }
}

async function authenticate(connection: NodeConnection, { username, password }: Expectation): Promise<void> {
  if (password === undefined) return;
  try {
    await connection.call("auth", ...(username === undefined ? [] : [username]), password);
  } catch (error) {
    // The default user needs no password, so it may do everything without it.
    const isUnneeded = username === undefined && faultOf(error).code === "ERR";
    if (!isUnneeded) throw error;
  }
}

/** Returns the kind and the role that the server reports. Every user of Redis may send the command HELLO. */
async function introduce(connection: NodeConnection): Promise<{ mode?: string; role?: string }> {
  try {
    const reply = (await connection.call("hello")) as unknown[];
    const texts = reply.map(String);
    const of = (name: string) => texts[texts.indexOf(name) + 1] ?? "";
    return { mode: of("mode"), role: of("role") };
  } catch (error) {
    const fault = faultOf(error);
    // HELLO is renamed, or the server is a proxy that supports fewer commands.
    if (["ERR", NO_SUCH_COMMAND].includes(fault.code)) return {};
    throw fault;
  }
}

/** Returns a message if the server is of another kind than the expected one. */
function misplacement(kind: Expectation["kind"], mode: string | undefined): string | undefined {
  if (mode === undefined || (mode === "sentinel") === (kind === "sentinel")) {
    if (mode === "cluster" && kind !== "cluster") {
      return "this is a node of a cluster; name it as redis+cluster://";
    }
    if (mode === "standalone" && kind === "cluster") {
      return "this Redis is no cluster; name it as redis:// or redis+sentinel://";
    }
    return undefined;
  }
  return kind === "sentinel"
    ? "this is no sentinel; name it as redis:// or redis+cluster://"
    : "this is a sentinel; name it as redis+sentinel://host/name, with its name for the primary";
}

async function select(connection: NodeConnection, database: number): Promise<void> {
  try {
    await connection.call("select", String(database));
  } catch (error) {
    const fault = faultOf(error);
    if (!fault.isReply) throw fault;
    const why = fault.code === "ERR" ? "there is none of this number" : fault.message;
    throw new RedisFault("DATABASE", `database ${database} cannot be used: ${why}`);
  }
}

async function isLoading(connection: NodeConnection): Promise<boolean> {
  try {
    return /^loading:1/m.test(String(await connection.call("info", "persistence")));
  } catch (error) {
    const fault = faultOf(error);
    // The user of Redis may not run INFO. Then each command fails with LOADING while the server is loading.
    if (["NOPERM", "ERR", NO_SUCH_COMMAND].includes(fault.code)) return false;
    throw fault;
  }
}
