import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "ioredis";
import { faultOf, MISPLACED, NO_SUCH_COMMAND, RedisFault } from "./faults.ts";
import type { RedisPlace } from "./place.ts";

/*
 * The check of every new connection before anything else is sent: the server is of the configured kind, the
 * connection uses the configured database, and the server has loaded its data. The library would continue in
 * database 0 if another one is refused.
 */

/** Milliseconds between two queries to a server that is loading its data. */
const LOADING_PAUSE = 100;

/** Name of the library's own check, which only requests INFO. */
const CHECK = "_readyCheck";

/** The replaced method of the library, called for each new connection; `done` with an error closes it. */
interface Checked {
  [CHECK](done: (error: Error | null, info?: Readonly<Record<string, string>>) => void): void;
  readonly stream: unknown;
}

/** Replaces the check of the client. */
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

/** Returns the role for the client, which requires a primary behind sentinels. */
async function check(client: Redis, place: RedisPlace, isCurrent: () => boolean) {
  const { mode, role } = await introduce(client);
  const misplaced = misplacement(place.kind, mode);
  if (misplaced !== undefined) throw new RedisFault(MISPLACED, misplaced);
  if (place.database > 0) await select(client, place.database);
  while (isCurrent() && (await isLoading(client))) await delay(LOADING_PAUSE);
  return role === undefined ? {} : { role: role === "replica" ? "slave" : role };
}

/** Returns the kind and role that the server reports; every user may query them. */
async function introduce(client: Redis): Promise<{ mode?: string; role?: string }> {
  try {
    const reply = (await client.call("hello")) as unknown[];
    const texts = reply.map(String);
    const of = (name: string) => texts[texts.indexOf(name) + 1] ?? "";
    return { mode: of("mode"), role: of("role") };
  } catch (error) {
    const fault = faultOf(error);
    // HELLO is renamed, or this is a proxy that supports fewer commands.
    if (["ERR", NO_SUCH_COMMAND].includes(fault.code)) return {};
    throw fault;
  }
}

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
    // Without this right, each command fails with LOADING instead.
    if (["NOPERM", "ERR", NO_SUCH_COMMAND].includes(fault.code)) return false;
    throw fault;
  }
}

/** Returns the error as a fault of the connection, rather than the reply to a waiting command. */
function unusable(error: unknown): RedisFault {
  const { code, message } = faultOf(error);
  return new RedisFault(code, message);
}
