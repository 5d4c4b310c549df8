import { resolve } from "node:path";
import { Command } from "commander";
import { backup, requireReadable } from "../store/sqlite/offline/backup.ts";
import { withAdmin } from "./connect.ts";
import { engineOf, requireSqlite } from "./engines.ts";
import { addExamples } from "./help.ts";
import { bytesText, type Output } from "./output.ts";
import { interruptibly, withProgress } from "./progress.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";
import { type AuditWriter, withAudit } from "./with-audit.ts";

/** `backup FILE`: copies the data into a new file. A server may be running on the data. */
export function backupCommand(output: Output): Command {
  const command = new Command("backup")
    .description("copy the data into a new file, also while a server runs on it")
    .argument("<file>", "the new file; it must not exist")
    .option("--json", "print the file and its size as JSON")
    .action(async (file: string, options: { json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      const { dataDir } = config;
      requireSqlite(
        config,
        "backup copies a SQLite file; on Redis use its own snapshots, or: antechamber migrate --ahead --from <store> --to sqlite:<folder>",
      );
      const engine = engineOf(config);
      engine.requireData();
      // Refuses data of another release before anything is written into the data folder.
      requireReadable(dataDir);
      const copy = () =>
        interruptibly("the backup was stopped", (signal) =>
          withProgress(texts, output, (show) =>
            backup(dataDir, file, {
              onProgress: (...sizes) => show(...progressOf(...sizes)),
              signal,
            }),
          ),
        );
      const note: AuditWriter = (entry) => withAdmin(config, (admin) => admin.noteAct(entry));
      const { isReadOnly } = engine;
      if (isReadOnly) output.remark(`${dataDir} is mounted read-only: its audit trail gets no entry.`);
      const bytes = await withAudit(
        isReadOnly ? async () => undefined : note,
        { what: "store.backup", details: { file: resolve(file) } },
        copy,
        (size) => ({ bytes: size }),
      );
      if (options.json === true) output.printJson({ file, bytes });
      else output.print(`${file}: ${bytesText(bytes)}`);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["backup /backups/antechamber-$(date +%F).db", "to restore, put it into an empty data folder as antechamber.db"],
  ]);
}

const texts = { begun: "Copying", done: "Copied", failed: "Not copied" };

function progressOf(written: number, expected: number): [done: number, text: string] {
  const text = `Copying ${bytesText(written)} of ${bytesText(expected)}`;
  return [expected === 0 ? 1 : written / expected, text];
}
