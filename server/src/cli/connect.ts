import { statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config/config.ts";
import { type Admin, createAdmin } from "../control/admin.ts";
import { connectControl } from "../control/client.ts";
import { machineTime } from "../runtime/clock.ts";
import { type OpenEvents, type Opened, open } from "../runtime/open-store.ts";
import { operator } from "../services/audit.ts";
import { StoreOpenError } from "../store/open-error.ts";
import { databaseFile } from "../store/sqlite/database.ts";
import { explained } from "../store/sqlite/file-errors.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { processOutput } from "./output.ts";
import { systemUser } from "./system-user.ts";

/**
 * Runs `use` on the data of `config`: through the server that runs on it, else on the store itself.
 * With `mustExist` (the default) a folder or a Redis without data is refused, and nothing is created.
 */
export async function withAdmin<Result>(
  config: Config,
  use: (admin: Admin) => Promise<Result>,
  options: { readonly mustExist?: boolean } = {},
): Promise<Result> {
  const mustExist = options.mustExist !== false;
  if (config.store.engine === "redis") {
    const purpose = mustExist ? "look" : "command";
    return useOpened(await open(config, machineTime, commandEvents, purpose), use);
  }
  for (let attempt = 1; ; attempt++) {
    const running = await connectTo(config.dataDir);
    if (running !== undefined) return use(running);
    if (mustExist) requireData(config.dataDir);
    const opened = await openUnlessBusy(config, attempt);
    if (opened !== undefined) return useOpened(opened, use);
  }
}

/** Connects to the server that runs on `dataDir`, if any; throws `StoreOpenError` if access rights hide whether one runs. */
export async function connectTo(dataDir: string): Promise<Admin | undefined> {
  try {
    return await connectControl(dataDir, systemUser());
  } catch (error) {
    const { path } = error as { readonly path?: unknown };
    throw typeof path === "string" ? explained(error, path) : error;
  }
}

async function useOpened<Result>(
  opened: Opened,
  use: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  try {
    return await use(createAdmin({ ...opened, who: operator(systemUser()) }));
  } finally {
    await opened.store.close();
  }
}

const nothing = () => undefined;
/** Handlers for a command, which has no metrics and no log: warnings and errors are printed, other events ignored. */
export const commandEvents: OpenEvents = {
  committed: nothing,
  failed: nothing,
  recordsLost: nothing,
  credentialsChanged: nothing,
  noticed(level, message) {
    if (level !== "info") processOutput.remark(`antechamber: ${message}`);
  },
  suspended: nothing,
  created: nothing,
  associated: nothing,
  ended: nothing,
  recorded: nothing,
};

const ATTEMPTS = 30;
const PAUSE = 100;

/**
 * A lock without a control socket is a server that just starts or stops, or another command at
 * work: worth three seconds. `undefined` when it is time to look again.
 */
async function openUnlessBusy(config: Config, attempt: number): Promise<Opened | undefined> {
  try {
    return await open(config, machineTime, commandEvents);
  } catch (error) {
    const isBusy = error instanceof StoreOpenError && error.fault === "in-use";
    if (!isBusy || attempt >= ATTEMPTS) throw error;
    await delay(PAUSE);
    return undefined;
  }
}

/** Refuses a command that has nothing to do on Redis; `message` tells what does it there. */
export function refuseRedis({ engine }: Config["store"], message: string): void {
  if (engine === "redis") throw new CliError(exitCodes.usage, message);
}

/** Returns false only if the file certainly does not exist; throws `StoreOpenError` if access rights hide it. */
function exists(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw explained(error, file);
  }
}

/** Refuses a data folder in which no server has ever run: it may be a slip of the pen. */
export function requireData(dataDir: string): void {
  if (exists(databaseFile(dataDir))) return;
  throw new CliError(
    exitCodes.dataUnavailable,
    `there is no data in ${dataDir}: no server has run there (--data-dir or ANTECHAMBER_DATA_DIR names another folder)`,
  );
}
