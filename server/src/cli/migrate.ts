import { Command } from "commander";
import { masked } from "../config/faults.ts";
import type { SettingName } from "../config/settings.ts";
import { type Migration, migrate, TargetTaken } from "../migrate/migrate.ts";
import type { Progress } from "../migrate/options.ts";
import { createClock, machineTime } from "../runtime/clock.ts";
import { STORED_RESPONSE_LIFE_MS } from "../store/ports/idempotency.ts";
import { engineOf } from "./engines.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import {
  allowedStores,
  auditWriterOf,
  openSide,
  openSource,
  requireDifferentStores,
  type Side,
  sideOf,
} from "./migration-stores.ts";
import { type Output, table } from "./output.ts";
import { interruptibly, type ShowProgress, withProgress } from "./progress.ts";
import { addSettings, loadSettings } from "./settings.ts";
import { type AuditWriter, withAudit } from "./with-audit.ts";

/** The settings that decide how long the servers keep data. The migration must run with the same values. */
const retentionSettings: readonly SettingName[] = [
  "anonymousIdle",
  "anonymousLifetime",
  "recognizedIdle",
  "recognizedLifetime",
  "profiles",
  "maxRecords",
  "retention",
  "redisPrefix",
  "redisTimeout",
  "redisCaFile",
  "redisCertFile",
  "redisKeyFile",
  "sentinelUsername",
];

interface Options {
  readonly from?: string;
  readonly to?: string;
  readonly ahead?: true;
  readonly json?: true;
}

/** `migrate --from STORE --to STORE`: copies all data of a store into an empty one. */
export function migrateCommand(output: Output): Command {
  const command = new Command("migrate")
    .description(
      "copy all data of a store into an empty one and compare the two; stop the servers on the source first, and start them on the target afterwards; an interrupted run can be resumed",
    )
    .option("--from <store>", `the store to read: ${allowedStores}; without it the Redis of that setting`)
    .option("--to <store>", "the empty store to fill, in the same form; without it the Redis of the setting store")
    .option(
      "--ahead",
      "copy while servers run on the source; the run without this option, for which they are stopped, then copies only what changed",
    )
    .option("--json", "print the numbers of copied items as JSON")
    .action(async (options: Options, self: Command) => {
      const { config } = loadSettings(self);
      const from = sideOf(options.from, "--from", config);
      const to = sideOf(options.to, "--to", config);
      const migration = await moveBetween(from, to, options.ahead === true, output);
      report(migration, { ...options, from: options.from ?? from.name, to: options.to ?? to.name }, output);
    });
  return addExamples(addSettings(command, retentionSettings), [
    ["migrate --from sqlite:./data --to sqlite:/mnt/new", "while no server runs on either"],
    ["migrate --ahead --from sqlite:./data --to sqlite:/mnt/new", "before that, while the server runs"],
    ["migrate --from sqlite:./data --to redis+cluster://10.0.0.1,10.0.0.2", "into a Redis Cluster"],
    [
      "migrate --from sqlite:./data",
      "into the Redis that ANTECHAMBER_STORE names, so that no flag contains its password",
    ],
  ]);
}

async function moveBetween(from: Side, to: Side, isAhead: boolean, output: Output): Promise<Migration> {
  await requireDifferentStores(from, to);
  if (engineOf(from.config).isShared && !isAhead) output.remark(sharedSourceRemark);
  await using closing = new AsyncDisposableStack();
  const { source, queues, writeAudit } = await openSource(from, isAhead, closing);
  const target = await openSide(to, "move");
  closing.defer(() => target.close());
  const clock = createClock(machineTime, await target.clockHighWaterMark());
  const { lifetimes, retention } = to.config;
  const times = { lifetimes, retention, answerLife: STORED_RESPONSE_LIFE_MS };
  const move = () =>
    interruptibly("stopped; run the same command again to continue", (signal) =>
      withProgress(texts, output, (show) => {
        const onProgress = (progress: Progress) => show(...progressOf(progress));
        return migrate({
          source,
          queues,
          target,
          from: from.name,
          clock,
          times,
          isAhead,
          signal,
          onProgress,
        });
      }),
    );
  // Until the copy is complete, the target's audit trail must remain an exact copy of the source's. So only the entry
  // `done` is also written to the target.
  const writeBoth: AuditWriter = async (entry) => {
    if (entry.outcome === "done" && !isAhead) await auditWriterOf(target, clock)(entry);
    await writeAudit(entry);
  };
  const details = { from: from.name, to: to.name, ahead: isAhead };
  try {
    // Awaited before returning, because the stores are closed when this function returns.
    return await withAudit(writeBoth, { what: "store.migrate", details }, move, auditDetails, isDone);
  } catch (error) {
    if (!(error instanceof TargetTaken)) throw error;
    throw new CliError(exitCodes.failure, `${to.name} is not filled: ${error.message}`);
  }
}

function auditDetails({ copied, resumed }: Migration) {
  return { sessionsRead: copied.sessions, recordsRead: copied.records, resumed };
}

/** Returns false if the comparison found a difference between the copy and the source. */
const isDone = ({ comparison }: Migration) => comparison?.isEqual !== false;

const sharedSourceRemark =
  "Servers can still write to Redis: what they change after it was read shows as a difference at the end.";

const texts = { begun: "Moving", done: "Moved", failed: "Not moved" };

function progressOf({ sessions, records, done, phase }: Progress): Parameters<ShowProgress> {
  const verb = phase === "copying" ? "Copying" : "Comparing";
  return [done, `${verb}: ${sessions} sessions, ${records} records`];
}

/** Prints the result. Throws if the copy differs from the source. */
function report(
  migration: Migration,
  { from, to, json, ahead }: Required<Pick<Options, "from" | "to">> & Options,
  output: Output,
): void {
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
  const places = leftOut.length === 0 ? "" : `; the target does not accept sessions such as ${leftOut.join(", ")}`;
  return `the stores differ: ${parts.join("; ")}${places}. If a server still writes to one of them, stop it and run this again`;
}
