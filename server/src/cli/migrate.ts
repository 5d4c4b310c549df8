import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { Command } from "commander";
import type { Config } from "../config/config.ts";
import { masked } from "../config/faults.ts";
import type { SettingName } from "../config/settings.ts";
import { parseStoreUrl } from "../config/store-url.ts";
import {
  type Migration,
  migrate,
  type Progress,
  type Source,
  TargetTaken,
} from "../migrate/migrate.ts";
import { type Clock, createClock, machineTime } from "../runtime/clock.ts";
import { openStore } from "../runtime/open-store.ts";
import { COMMAND_LINE, createAuditTrail, operator } from "../services/audit.ts";
import { Refusal } from "../session/errors.ts";
import { StoreOpenError } from "../store/open-error.ts";
import type { AuditStore } from "../store/ports/audit.ts";
import { STORED_RESPONSE_LIFE_MS } from "../store/ports/idempotency.ts";
import type { LifecycleStore } from "../store/ports/lifecycle.ts";
import type { TransferStore } from "../store/ports/transfer.ts";
import { backup } from "../store/sqlite/backup.ts";
import { databaseFile, isOnReadOnlySystem } from "../store/sqlite/database.ts";
import { explained } from "../store/sqlite/file-errors.ts";
import { commandEvents, connectTo, requireData } from "./connect.ts";
import { CliError, exitCodes, exitOf } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { type Output, table } from "./output.ts";
import { interruptibly, type ShowProgress, withProgress } from "./progress.ts";
import { addSettings, loadSettings } from "./settings.ts";
import { systemUser } from "./system-user.ts";
import { type AuditResult, type AuditWriter, withAudit } from "./with-audit.ts";

/** Both stores are to keep what they hold as the servers on them do. */
const retentionSettings: readonly SettingName[] = [
  "anonymousIdle",
  "anonymousLifetime",
  "recognizedIdle",
  "recognizedLifetime",
  "maxRecords",
  "retention",
  "redisPrefix",
  "redisTimeout",
  "redisCaFile",
  "sentinelUsername",
];

const allowedStores = "sqlite:<folder>, or Redis as in the setting store";

interface Options {
  readonly from: string;
  readonly to: string;
  readonly ahead?: true;
  readonly json?: true;
}

/** `migrate --from STORE --to STORE`: everything that one store keeps, into an empty one. */
export function migrateCommand(output: Output): Command {
  const command = new Command("migrate")
    .description(
      "move everything from one store into another, which is empty, and compare the two: stop the servers on the source before, and start them on the other store afterwards; a run that was stopped goes on where it was",
    )
    .requiredOption("--from <store>", `the store to read: ${allowedStores}`)
    .requiredOption("--to <store>", "the store to fill, likewise")
    .option(
      "--ahead",
      "copy while servers run on the source, so that the run without this option, for which they are stopped, has only what changed to write",
    )
    .option("--json", "print what was moved as JSON")
    .action(async (options: Options, self: Command) => {
      const { config } = loadSettings(self);
      const from = sideOf(options.from, "--from", config);
      const to = sideOf(options.to, "--to", config);
      const migration = await moveBetween(from, to, options.ahead === true, output);
      report(migration, options, output);
    });
  addExamples(addSettings(command, retentionSettings), [
    ["migrate --from sqlite:./data --to sqlite:/mnt/new", "with no server on either"],
    ["migrate --ahead --from sqlite:./data --to sqlite:/mnt/new", "before that, beside the server"],
    ["migrate --from sqlite:./data --to redis+cluster://10.0.0.1,10.0.0.2", "onto a cluster"],
  ]);
  return command;
}

/** Where a store is. */
interface Side {
  /** The option that names this store. */
  readonly flag: string;
  /** As it is told to people and noted in the target: without secrets. */
  readonly name: string;
  readonly config: Config;
}

function sideOf(text: string, flag: string, config: Config): Side {
  const folder = /^sqlite:(.+)$/.exec(text)?.[1];
  if (folder !== undefined) {
    const dataDir = resolve(folder);
    return {
      flag,
      name: `sqlite:${dataDir}`,
      config: { ...config, store: { engine: "sqlite" }, dataDir },
    };
  }
  const store = parseStoreUrl(text);
  if (typeof store === "string" || store.engine === "sqlite") {
    const why = typeof store === "string" ? store : "the folder is missing";
    throw new CliError(exitCodes.usage, `${flag} is ${allowedStores}: ${why}`);
  }
  return { flag, name: `${store.label} ${config.redisPrefix}`, config: { ...config, store } };
}

async function moveBetween(
  from: Side,
  to: Side,
  isAhead: boolean,
  output: Output,
): Promise<Migration> {
  if (from.config.store.engine === "sqlite") requireData(from.config.dataDir);
  else {
    await (await openSide(from, "look")).close();
    if (!isAhead) output.remark(openSourceRemark);
  }
  refuseSame(from, to);
  await using closing = new AsyncDisposableStack();
  const { source, note } = await openSource(from, isAhead, closing);
  const target = await openSide(to, "move");
  closing.defer(() => target.close());
  const clock = createClock(machineTime, await target.clockHighWaterMark());
  const { lifetimes, retention } = to.config;
  const move = () =>
    interruptibly("stopped; the same command goes on from here", (signal) =>
      withProgress(texts, output, (show) =>
        migrate({
          source,
          target,
          from: from.name,
          clock,
          times: { lifetimes, retention, answerLife: STORED_RESPONSE_LIFE_MS },
          isAhead,
          signal,
          onProgress: (progress) => show(...progressOf(progress)),
        }),
      ),
    );
  // The target's own trail begins when the move is over: until then it is the source's, entry by entry.
  const noteBoth: AuditWriter = async (entry) => {
    if (entry.outcome === "done" && !isAhead) await auditWriterOf(target, clock)(entry);
    await note(entry);
  };
  const details = { from: from.name, to: to.name, ahead: isAhead };
  try {
    // Awaited here: the stores are closed when this function is left.
    return await withAudit(noteBoth, { what: "store.migrate", details }, move, auditResultOf);
  } catch (error) {
    if (!(error instanceof TargetTaken)) throw error;
    throw new CliError(exitCodes.failure, `${to.name} is not filled: ${error.message}`);
  }
}

/** A copy that is not equal is told as a failure, in the trail too. */
function auditResultOf({ copied, comparison, resumed }: Migration): AuditResult {
  const isFailed = comparison?.isEqual === false;
  const { sessions: sessionsRead, records: recordsRead } = copied;
  const details = { sessionsRead, recordsRead, resumed };
  return { outcome: isFailed ? "failed" : "done", details };
}

/** Enters what this process does into the trail of a store that it has opened. */
function auditWriterOf(store: AuditStore, clock: Clock): AuditWriter {
  const trail = createAuditTrail(store, clock);
  const who = operator(systemUser());
  return ({ what, outcome, details }) =>
    trail.note({ who, from: COMMAND_LINE, what, details }, outcome);
}

const openSourceRemark =
  "Nothing keeps servers from writing to Redis meanwhile: what they change after it was read shows as a difference at the end.";

const texts = { begun: "Moving", done: "Moved", failed: "Not moved" };

function progressOf({ sessions, records, done, phase }: Progress): Parameters<ShowProgress> {
  const verb = phase === "copying" ? "Copying" : "Comparing";
  return [done, `${verb}: ${sessions} sessions, ${records} records`];
}

function refuseSame(from: Side, to: Side): void {
  const places = [from, to].map(({ name, config: { store, dataDir } }) => {
    if (store.engine === "redis") return name;
    return realPathOf(dataDir);
  });
  if (places[0] !== places[1]) return;
  throw new CliError(exitCodes.usage, "--from and --to are the same store");
}

/** Returns the real path of a folder that may not exist yet, and does not create it: the move may be refused. */
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

/** The source, and how its trail is written. */
interface OpenedSource {
  readonly source: Source;
  readonly note: AuditWriter;
}

/** The source itself, or, for a copy ahead, through the server that runs on it. */
async function openSource(
  place: Side,
  isAhead: boolean,
  closing: AsyncDisposableStack,
): Promise<OpenedSource> {
  const { config, name } = place;
  if (isAhead && config.store.engine === "sqlite") {
    const running = await connectTo(config.dataDir);
    if (running !== undefined) return { source: running, note: running.noteAct };
  }
  const readable = { ...place, config: await writableOf(config, closing) };
  const source = await openClosed(readable, isAhead);
  closing.defer(() => source.close());
  if ((await source.importCursor()) !== null) {
    const message = `a move of another store into ${name} is not complete: finish it first`;
    throw new CliError(exitCodes.failure, message);
  }
  return {
    source,
    note: auditWriterOf(source, createClock(machineTime, await source.clockHighWaterMark())),
  };
}

/**
 * Copies a store on a read-only file system to the temporary folder, so that the copy is moved: every store is
 * opened for writing, if only for its audit trail.
 */
async function writableOf(config: Config, closing: AsyncDisposableStack): Promise<Config> {
  const { dataDir, store } = config;
  if (store.engine !== "sqlite" || !isOnReadOnlySystem(databaseFile(dataDir))) return config;
  const copied = mkdtempSync(join(tmpdir(), "antechamber-"));
  closing.defer(() => rmSync(copied, { recursive: true }));
  await backup(dataDir, databaseFile(copied));
  return { ...config, dataDir: copied };
}

/** The ports that a migration uses. */
type OpenedStore = TransferStore & AuditStore & LifecycleStore;

/** Opens a store; its errors name the option that chose it. */
async function openSide(
  { config, flag }: Side,
  purpose: "move" | "look" | "command",
): Promise<OpenedStore> {
  try {
    return named(await openStore(config, machineTime, commandEvents, purpose), flag);
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    throw new StoreOpenError(error.fault, `${flag}: ${error.message}`, error.cause);
  }
}

/** Wraps the store, so that refusals while it is read or filled name the option that chose it. */
function named(store: OpenedStore, flag: string): OpenedStore {
  const rethrow = (error: unknown): never => {
    if (!(error instanceof Refusal)) throw error;
    throw new CliError(exitCodes.failure, `${flag}: ${exitOf(error).message}`);
  };
  return {
    ...store,
    exportPage: (after, now) => store.exportPage(after, now).catch(rethrow),
    importItems: (adoption) => store.importItems(adoption).catch(rethrow),
    appendAuditEntry: (entry) => store.appendAuditEntry(entry).catch(rethrow),
  };
}

async function openClosed(place: Side, isAhead: boolean): Promise<OpenedStore> {
  const { name } = place;
  try {
    return await openSide(place, isAhead ? "command" : "move");
  } catch (error) {
    if (!(error instanceof StoreOpenError) || error.fault !== "in-use") throw error;
    throw new CliError(
      exitCodes.dataUnavailable,
      `a server runs on ${name}: stop it, or copy ahead of that (--ahead)`,
    );
  }
}

/** Prints what was done; a copy that is not equal ends the command with a failure. */
function report(migration: Migration, { from, to, json, ahead }: Options, output: Output): void {
  const { copied, comparison, leftOut, resumed } = migration;
  if (json === true) {
    output.printJson({
      from: masked(from),
      to: masked(to),
      ahead: ahead === true,
      resumed,
      copied,
      leftOut,
      comparison,
    });
  } else if (comparison !== null) {
    output.print(textOf(comparison.kinds));
  }
  if (comparison === null) {
    if (json !== true)
      output.print(
        `Read ${copied.sessions} sessions and ${copied.records} records; those that the target did not have were written.`,
      );
    output.remark("The copy is not complete: stop the servers, and run it again without --ahead.");
  } else if (!comparison.isEqual) {
    throw new CliError(exitCodes.failure, differenceOf(migration));
  }
}

function textOf(kinds: NonNullable<Migration["comparison"]>["kinds"]): string {
  const rows = kinds.map(({ kind, isEqual, source, target }) => [
    kind,
    String(source.count),
    String(target.count),
    isEqual ? "equal" : "different",
  ]);
  return table([["", "source", "target", ""], ...rows]);
}

function differenceOf({ comparison, leftOut }: Migration): string {
  const different = (comparison?.kinds ?? []).filter(({ isEqual }) => !isEqual);
  const parts = different.map(({ kind, source, target }) =>
    source.count === target.count
      ? `${source.count} ${kind} in both, but not the same`
      : `${source.count} ${kind} in the source and ${target.count} in the target`,
  );
  const places =
    leftOut.length === 0 ? "" : `; no place for sessions such as ${leftOut.join(", ")}`;
  return `the stores differ: ${parts.join("; ")}${places}. If a server still writes to one of them, stop it and run this again`;
}
