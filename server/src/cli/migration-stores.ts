import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { parseStoreUrl } from "../config/store-url.ts";
import type { MigrateOptions } from "../migrate/options.ts";
import { type Clock, createClock, machineTime } from "../runtime/clock.ts";
import { openStore } from "../runtime/open-store.ts";
import { AuditTrail, operator } from "../services/audit.ts";
import { Refusal } from "../session/errors.ts";
import { StoreOpenError } from "../store/open-error.ts";
import type { AuditStore } from "../store/ports/audit.ts";
import type { EventLog } from "../store/ports/events.ts";
import type { LifecycleStore } from "../store/ports/lifecycle.ts";
import type { TransferStore } from "../store/ports/transfer.ts";
import type { WebhookStore } from "../store/ports/webhooks.ts";
import { databaseFile } from "../store/sqlite/files/database.ts";
import { backup } from "../store/sqlite/offline/backup.ts";
import { commandEvents } from "./connect.ts";
import { engineOf } from "./engines.ts";
import { CliError, exitCodes, exitOf } from "./exit-codes.ts";
import { systemUser } from "./system-user.ts";
import type { AuditWriter } from "./with-audit.ts";

/** The values of `--from` and `--to`, as messages describe them. */
export const allowedStores = "sqlite:<folder>, or Redis as in the setting store";

/** One of the two stores of a migration. */
export interface Side {
  /** The option that names this store: `--from` or `--to`. */
  readonly flag: string;
  /** Name of the store in messages, without secrets. The target stores the source's name. */
  readonly name: string;
  readonly config: Config;
}

/**
 * Parses the value of `--from` or `--to`. Without one it is the Redis of the setting `store`: every user of the machine
 * can read the flags of a process, and so a password in them.
 */
export function sideOf(text: string | undefined, flag: string, config: Config): Side {
  if (text === undefined) {
    if (config.store.engine !== "sqlite") return { flag, name: engineOf(config).name, config };
    const advice = "give it, or name a Redis in the setting store (ANTECHAMBER_STORE, or the file of --config)";
    throw new CliError(exitCodes.usage, `${flag} is missing: ${advice}`);
  }
  const folder = /^sqlite:(.+)$/.exec(text)?.[1];
  const store = folder === undefined ? parseStoreUrl(text) : ({ engine: "sqlite" } as const);
  if (typeof store === "string" || text === "sqlite") {
    const why = typeof store === "string" ? store : "the folder is missing";
    throw new CliError(exitCodes.usage, `${flag} is ${allowedStores}: ${why}`);
  }
  const chosen = { ...config, store, dataDir: resolve(folder ?? config.dataDir) };
  return { flag, name: engineOf(chosen).name, config: chosen };
}

type OpenedStore = TransferStore & AuditStore & LifecycleStore & WebhookStore & EventLog;

/** Refuses a source that no server has used. Also refuses if both options name the same store. */
export async function requireDifferentStores(from: Side, to: Side): Promise<void> {
  const source = engineOf(from.config);
  if (source.isShared) await (await openSide(from, "look")).close();
  else source.requireData();
  if (source.identity() !== engineOf(to.config).identity()) return;
  throw new CliError(exitCodes.usage, "--from and --to are the same store");
}

/** An open source, and a function that writes entries to its audit trail. */
export interface OpenedSource extends Pick<MigrateOptions, "source" | "queues"> {
  readonly writeAudit: AuditWriter;
}

/**
 * Opens the source. With `isAhead` (the copy is made while servers still use the source), works through a server that
 * runs on the source, if there is one. Adds to `closing` the steps that close the source.
 */
export async function openSource(side: Side, isAhead: boolean, closing: AsyncDisposableStack): Promise<OpenedSource> {
  const running = isAhead ? await engineOf(side.config).connect() : undefined;
  if (running !== undefined) return { source: running, queues: null, writeAudit: running.noteAct };
  const source = await openStopped({ ...side, config: await writableOf(side.config, closing) }, isAhead);
  closing.defer(() => source.close());
  if ((await source.importCursor()) !== null) {
    const message = `a move of another store into ${side.name} is not complete: finish it first`;
    throw new CliError(exitCodes.failure, message);
  }
  const clock = createClock(machineTime, await source.clockHighWaterMark());
  return { source, queues: isAhead ? null : source, writeAudit: auditWriterOf(source, clock) };
}

/** Opening a store writes to it. So a read-only store is first copied to a temporary folder, and the copy is used. */
async function writableOf(config: Config, closing: AsyncDisposableStack): Promise<Config> {
  if (!engineOf(config).isReadOnly) return config;
  const copied = mkdtempSync(join(tmpdir(), "antechamber-"));
  closing.defer(() => rmSync(copied, { recursive: true }));
  await backup(config.dataDir, databaseFile(copied));
  return { ...config, dataDir: copied };
}

/** Returns a function that writes entries about this process to the audit trail of an open store. */
export function auditWriterOf(store: AuditStore, clock: Clock): AuditWriter {
  const trail = new AuditTrail(store, clock);
  const by = operator(systemUser());
  return ({ outcome, ...act }) => trail.append({ ...by, ...act }, outcome);
}

/** Opens a store. Error messages begin with the option that names it. */
export async function openSide({ config, flag }: Side, purpose: "move" | "look" | "command"): Promise<OpenedStore> {
  try {
    return named(await openStore(config, machineTime, commandEvents, purpose), flag);
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    throw new StoreOpenError(error.fault, `${flag}: ${error.message}`, error.cause);
  }
}

/** Wraps the store, so that error messages begin with the option that names it. */
function named(store: OpenedStore, flag: string): OpenedStore {
  const rethrow = (error: unknown): never => {
    if (!(error instanceof Refusal)) throw error;
    throw new CliError(exitCodes.failure, `${flag}: ${exitOf(error).message}`);
  };
  return {
    ...store,
    exportPage: (after, now) => store.exportPage(after, now).catch(rethrow),
    importItems: (adoption) => store.importItems(adoption).catch(rethrow),
    queueDeliveries: (request) => store.queueDeliveries(request).catch(rethrow),
    appendAuditEntry: (entry) => store.appendAuditEntry(entry).catch(rethrow),
  };
}

/** Opens a source. Refuses if a server runs on it, unless `isAhead` (servers may still use the source). */
async function openStopped(side: Side, isAhead: boolean): Promise<OpenedStore> {
  try {
    return await openSide(side, isAhead ? "command" : "move");
  } catch (error) {
    if (!(error instanceof StoreOpenError) || error.fault !== "in-use") throw error;
    throw new CliError(
      exitCodes.dataUnavailable,
      `a server runs on ${side.name}: stop it, or copy ahead of that (--ahead)`,
    );
  }
}
