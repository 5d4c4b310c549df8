import { Command } from "commander";
import type { Config } from "../config/config.ts";
import { machineTime } from "../runtime/clock.ts";
import { openStore } from "../runtime/open-store.ts";
import { inspect } from "../store/sqlite/offline/inspect.ts";
import { commandEvents } from "./connect.ts";
import { engineOf } from "./engines.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { bytesText, type Output, table, timeText } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** `doctor`: checks the data for damage, and shows sizes and counts. Over Redis shows whether data were lost. */
export function doctorCommand(output: Output): Command {
  const command = new Command("doctor")
    .description(
      "check the data, the audit trail and the retention; changes nothing, and may be used while a server runs",
    )
    .option("--json", "print the report as JSON")
    .action(async (options: { json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      if (config.store.engine === "redis") return inspectRedis(config, options.json === true, output);
      const engine = engineOf(config);
      engine.requireData();
      const serverRuns = (await engine.connect()) !== undefined;
      const { dataDir, retention: keptFor } = config;
      const report = { ...inspect(dataDir, Date.now(), keptFor), keptFor, serverRuns };
      const isSound = report.faults.length === 0;
      if (options.json === true) output.printJson({ sound: isSound, ...report });
      else output.print(textOf(report));
      if (!isSound) {
        const advice = "the data is damaged: stop the server, keep a copy, restore a backup";
        throw new CliError(exitCodes.failure, advice);
      }
    });
  return addExamples(addSettings(command, [...dataSettings, "retention"]), [
    ["doctor", "integrity, sizes and counts"],
    ["doctor --json | jq .counts.live", "how many sessions are live"],
    ["doctor --store redis+cluster://10.0.0.1:6379", "whether Redis has lost data within the last day"],
  ]);
}

/** Shows whether shards of a cluster have lost their data within the last day, as the servers have found. */
async function inspectRedis(config: Config, isJson: boolean, output: Output): Promise<void> {
  const store = await openStore(config, machineTime, commandEvents, "look");
  const { bytes = null, lostShards, shardsToRepair } = store.status();
  await store.close();
  const isSound = lostShards === 0 && shardsToRepair === 0;
  const report = { sound: isSound, store: engineOf(config).name, bytes, lostShards, shardsToRepair };
  if (isJson) output.printJson(report);
  else {
    const rows = [
      ["store", report.store],
      ["size", bytes === null ? "unknown" : bytesText(bytes)],
      ["lost", lostShards === 0 ? "no shard within the last day" : `${lostShards} of 256 shards within the last day`],
      ["indexes", shardsToRepair === 0 ? "complete" : `${shardsToRepair} of 256 shards still to be repaired`],
    ];
    output.print(table(rows));
  }
  if (!report.sound) {
    const advice = "Redis has lost data: the log of the servers names the nodes, docs/operating.md says what to do";
    throw new CliError(exitCodes.failure, advice);
  }
}

type Report = ReturnType<typeof inspect> & {
  readonly keptFor: number;
  readonly serverRuns: boolean;
};

/** Describes how long sessions are kept, and how many are overdue. A running server purges those within minutes. */
function retentionText({ retention, keptFor }: Pick<Report, "retention" | "keptFor">): string {
  const days = `${Math.round((keptFor / DAY) * 10) / 10} days after its end`;
  if (retention === undefined) return days;
  const { oldest, overdue } = retention;
  const oldestText = oldest === null ? "no session has ended" : `the oldest ended ${timeText(oldest)}`;
  return `${days}; ${oldestText}; ${overdue === 0 ? "none is" : `${overdue} are`} overdue`;
}

/** Describes an incomplete migration into this store. The data are not damaged, but no server starts on them. */
function moveText(from: string): string {
  return `not complete: from ${from}; no server starts here until the same "antechamber migrate" has finished`;
}

const labels: Readonly<Record<string, string>> = {
  withData: "live with data",
  recordsInJournal: "of them in the journal",
  pendingDeliveries: "pending deliveries",
  failedDeliveries: "failed deliveries",
};

const DAY = 24 * 60 * 60 * 1000;

function textOf({ file, faults, sizes, counts, serverRuns, ...others }: Report): string {
  const rows = [
    ["file", file],
    ["server", serverRuns ? "runs on this data" : "does not run on this data"],
    ["size", `${bytesText(sizes.database)}, of it free ${bytesText(sizes.free)}`],
    ["log", bytesText(sizes.log)],
    ["schema", String(others.schemaVersion ?? "unknown")],
    ["SQLite", others.sqliteVersion ?? "unknown"],
    ...Object.entries(counts ?? {}).map(([name, count]) => [labels[name] ?? name, String(count)]),
    ["retention", retentionText(others)],
    ...(others.unfinishedMove === null ? [] : [["move", moveText(others.unfinishedMove)]]),
    ["integrity", faults.length === 0 ? "ok" : "damaged"],
  ];
  return [table(rows), ...faults.map((fault) => `  ${fault}`)].join("\n");
}
