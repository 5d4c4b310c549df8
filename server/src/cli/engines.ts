import { existsSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Config } from "../config/config.ts";
import type { StoreUrl } from "../config/store-url.ts";
import { connectControl } from "../control/client.ts";
import type { Admin } from "../control/operations.ts";
import { anySession } from "../session/filter.ts";
import { databaseFile, isOnReadOnlySystem } from "../store/sqlite/files/database.ts";
import { explained } from "../store/sqlite/files/file-errors.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { systemUser } from "./system-user.ts";

/** Everything in which commands for SQLite and Redis differ. Other files of `cli/` do not distinguish the engines. */
interface Engine {
  /** Name of the store in messages, without secrets. */
  readonly name: string;
  /** Whether several processes can write to the store at the same time. */
  readonly isShared: boolean;
  /** Whether the data are on a file system or in a folder that this process cannot write. */
  readonly isReadOnly: boolean;
  /** Returns a text that identifies the store, in whatever way its address or folder is written. */
  identity(): string;
  /**
   * Connects to the server that runs on the data, because commands must work through it. Returns `undefined` if no
   * server runs. Throws `StoreOpenError` if missing access rights prevent finding that out.
   */
  connect(): Promise<Admin | undefined>;
  /** Refuses a store that no server has used. Does nothing if the engine refuses to open it to `look`. */
  requireData(): void;
  /** Call it before opening the store. The returned function returns a remark if the store was unused before. */
  remarkIfUnused(): (admin: Admin) => Promise<string | undefined>;
}

export function engineOf(config: Config): Engine {
  const { store } = config;
  return store.engine === "sqlite" ? sqlite(config) : redis(config, store);
}

function sqlite({ dataDir }: Config): Engine {
  const file = databaseFile(dataDir);
  return {
    name: `sqlite:${dataDir}`,
    isShared: false,
    get isReadOnly() {
      return isOnReadOnlySystem(file);
    },
    identity: () => realPathOf(dataDir),
    async connect() {
      try {
        return await connectControl(dataDir, systemUser());
      } catch (error) {
        const { path } = error as { readonly path?: unknown };
        throw typeof path === "string" ? explained(error, path) : error;
      }
    },
    requireData() {
      if (exists(file)) return;
      throw new CliError(
        exitCodes.dataUnavailable,
        `there is no data in ${dataDir}: no server has run there (--data-dir or ANTECHAMBER_DATA_DIR names another folder)`,
      );
    },
    remarkIfUnused() {
      const remark = `Note: made the data folder ${dataDir}: no server has run there. A server with another folder does not know the key: choose the folder with --data-dir or ANTECHAMBER_DATA_DIR.`;
      const isNew = !existsSync(file);
      return async () => (isNew ? remark : undefined);
    },
  };
}

function redis({ redisPrefix }: Config, { label }: Extract<StoreUrl, { engine: "redis" }>): Engine {
  const name = `${label} ${redisPrefix}`;
  return {
    name,
    isShared: true,
    isReadOnly: false,
    identity: () => name,
    connect: async () => undefined,
    requireData: () => undefined,
    remarkIfUnused: () => async (admin) => {
      const remark = `Note: the store ${label} with the prefix ${JSON.stringify(redisPrefix)} was empty: no server has used it. A server with another store does not know the key: choose the store with --store (ANTECHAMBER_STORE) and --redis-prefix (ANTECHAMBER_REDIS_PREFIX).`;
      return (await isUnused(admin)) ? remark : undefined;
    },
  };
}

/** Returns whether a store has no keys, no audit trail and no sessions. */
async function isUnused(admin: Admin): Promise<boolean> {
  const [keys, trail, page] = await Promise.all([
    admin.listKeys(),
    admin.auditTrail({ after: 0, limit: 0 }),
    admin.listSessions({ filter: anySession, after: null, limit: 1 }),
  ]);
  return keys.length === 0 && trail.last === 0 && page.sessions.length === 0;
}

/** Returns whether the file exists. Throws `StoreOpenError` if missing access rights prevent finding that out. */
function exists(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw explained(error, file);
  }
}

/** Returns the real path of a folder that may not exist yet. */
function realPathOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(folder) === folder) {
      throw explained(error, folder);
    }
    return join(realPathOf(dirname(folder)), basename(folder));
  }
}

/** Refuses a command that works only with SQLite. `message` says what to do with Redis instead. */
export function requireSqlite({ store }: Config, message: string): void {
  if (store.engine !== "sqlite") throw new CliError(exitCodes.usage, message);
}
