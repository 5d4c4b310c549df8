import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "ioredis";
import { faultOf, MISPLACED, NO_SUCH_COMMAND, RedisFault } from "./faults.ts";
import type { RedisPlace } from "./place.ts";

/*
 * Checks every new connection before any other command is sent on it:
 * - The server is of the configured kind: a single server, a node of a cluster, or a primary behind sentinels.
 * - The connection uses the configured database. Without this check, the library would continue with database 0 if the
 *   server refuses another one.
 * - The server has loaded its data.
 */

/** Time (ms) between two queries to a server that is loading its data. */
const LOADING_PAUSE = 100;

/** Name of the library's method that checks a connection. The library's own version only sends INFO. */
const CHECK = "_readyCheck";

/** A client with the method that is replaced here. If `done` gets an error, the library closes the connection. */
interface Checked {
  [CHECK](done: (error: Error | null, info?: Readonly<Record<string, string>>) => void): void;
  readonly stream: unknown;
}

/** Replaces the client's own check of new connections. */
export function checkEachConnection(client: Redis, place: RedisPlace): void {
  const checked = client as unknown as Checked;
  async function checkNow(...[done]: Parameters<Checked[typeof CHECK]>): Promise<void> {
    const { stream } = checked;
    try {
      done(null, await check(client, place, () => checked.stream === stream));
    } catch (error) {
      done(unusable(error));
    }
  }
  checked[CHECK] = (done) => void checkNow(done);
}

/**
 * Checks a new connection. Returns the server's role if it is known, because the library requires a primary behind
 * sentinels. `isCurrent` returns whether the client still uses the connection.
 */
async function check(client: Redis, place: RedisPlace, isCurrent: () => boolean) {
  const { mode, role } = await introduce(client);
  const misplaced = misplacement(place.kind, mode);
  if (misplaced !== undefined) throw new RedisFault(MISPLACED, misplaced);
  if (place.database > 0) await select(client, place.database);
  while (isCurrent() && (await isLoading(client))) await delay(LOADING_PAUSE);
  return role === undefined ? {} : { role: role === "replica" ? "slave" : role };
}

/** Returns the kind and the role that the server reports. Every user of Redis may send the command HELLO. */
async function introduce(client: Redis): Promise<{ mode?: string; role?: string }> {
  try {
    const reply = (await client.call("hello")) as unknown[];
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

/** Returns a message if the server is of another kind than the configured one. */
function misplacement(kind: RedisPlace["kind"], mode: string | undefined): string | undefined {
  if (mode === "sentinel") {
    return "this is a sentinel; name it as redis+sentinel://host/name, with its name for the primary";
  }
  if (mode === "cluster" && kind !== "cluster") {
    return "this is a node of a cluster; name it as redis+cluster://";
  }
  if (mode === "standalone" && kind === "cluster") {
    return "this Redis is no cluster; name it as redis:// or redis+sentinel://";
  }
  return undefined;
}

async function select(client: Redis, database: number): Promise<void> {
  try {
    await client.select(database);
  } catch (error) {
    const fault = faultOf(error);
    if (!fault.isReply) throw fault;
    const why = fault.code === "ERR" ? "there is none of this number" : fault.message;
    throw new RedisFault("DATABASE", `database ${database} cannot be used: ${why}`);
  }
}

async function isLoading(client: Redis): Promise<boolean> {
  try {
    return /^loading:1/m.test(await client.info("persistence"));
  } catch (error) {
    const fault = faultOf(error);
    // The user of Redis may not run INFO. Then each command fails with LOADING while the server is loading.
    if (["NOPERM", "ERR", NO_SUCH_COMMAND].includes(fault.code)) return false;
    throw fault;
  }
}

/** Converts an error of the check into a fault of the connection, so that no waiting command takes it for its reply. */
function unusable(error: unknown): RedisFault {
  const { code, message } = faultOf(error);
  return new RedisFault(code, message);
}
