import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config/config.ts";
import { type Admin, localAdmin } from "../control/operations.ts";
import { machineTime } from "../runtime/clock.ts";
import { type OpenEvents, type Opened, open } from "../runtime/open-store.ts";
import { operator } from "../services/audit.ts";
import { StoreOpenError } from "../store/open-error.ts";
import { engineOf } from "./engines.ts";
import { processOutput } from "./output.ts";
import { systemUser } from "./system-user.ts";

/**
 * Runs `use` on the data of `config`. If a server runs on the data, `use` works through that server; otherwise this
 * process opens the store. With `mustExist` (the default), a store that no server has used is refused, and nothing is
 * created.
 */
export async function withAdmin<Result>(
  config: Config,
  use: (admin: Admin) => Promise<Result>,
  { mustExist = true }: { readonly mustExist?: boolean } = {},
): Promise<Result> {
  const engine = engineOf(config);
  for (let attempt = 1; ; attempt++) {
    const running = await engine.connect();
    if (running !== undefined) return use(running);
    if (mustExist) engine.requireData();
    const opened = await openUnlessBusy(config, mustExist ? "look" : "command", attempt);
    if (opened !== undefined) return useOpened(opened, use);
  }
}

async function useOpened<Result>(opened: Opened, use: (admin: Admin) => Promise<Result>): Promise<Result> {
  try {
    return await use(localAdmin(opened, operator(systemUser())));
  } finally {
    await opened.store.close();
  }
}

const nothing = () => undefined;
/** Event handlers of commands. Commands have no metrics and no log, so warnings and errors are printed. */
export const commandEvents: OpenEvents = {
  committed: nothing,
  failed: nothing,
  recordsLost: nothing,
  recordsDropped: nothing,
  credentialsChanged: nothing,
  noticed(level, message) {
    if (level !== "info") processOutput.remark(`antechamber: ${message}`);
  },
  suspended: nothing,
  created: nothing,
  associated: nothing,
  rotated: nothing,
  ended: nothing,
  recorded: nothing,
};

const ATTEMPTS = 30;
const PAUSE_MS = 100;

/**
 * Opens the store; returns `undefined` if another process holds the lock and the caller should try again. As the caller
 * has found no control socket, that process is a server that is starting or stopping, or another command, so it may
 * release the lock soon.
 */
async function openUnlessBusy(
  config: Config,
  purpose: "look" | "command",
  attempt: number,
): Promise<Opened | undefined> {
  try {
    return await open(config, machineTime, commandEvents, purpose);
  } catch (error) {
    const isBusy = error instanceof StoreOpenError && error.fault === "in-use";
    if (!isBusy || attempt >= ATTEMPTS) throw error;
    await delay(PAUSE_MS);
    return undefined;
  }
}
