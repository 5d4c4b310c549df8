import { Command } from "commander";
import { backup } from "../store/sqlite/backup.ts";
import { requireData } from "./connect.ts";
import { CliError, exitCodes } from "./exit.ts";
import { addExamples } from "./help.ts";
import { bytesText, type Output } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** `backup FILE`: a copy of the data, while the server runs. */
export function backupCommand(output: Output): Command {
  const command = new Command("backup")
    .description("copy the data of this moment into a new file, also while a server runs on it")
    .argument("<file>", "the file to make; it must not exist")
    .option("--json", "print the file and its size as JSON")
    .action(async (file: string, options: { json?: true }, self: Command) => {
      const { dataDir } = loadSettings(self).config;
      requireData(dataDir);
      const bytes = await interruptibly((signal) =>
        withProgress((onProgress) => backup(dataDir, file, { onProgress, signal })),
      );
      if (options.json === true) output.printJson({ file, bytes });
      else output.print(`${file}: ${bytesText(bytes)}`);
    });
  addExamples(addSettings(command, dataSettings), [
    [
      "backup /backups/antechamber-$(date +%F).db",
      "to restore, put it into an empty data folder as antechamber.db",
    ],
  ]);
  return command;
}

/** Lets a signal end `work` in good order, so that no half of a file stays behind. */
async function interruptibly<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const stop = () => controller.abort(new CliError(exitCodes.failure, "the backup was stopped"));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** Shows progress to whoever watches a terminal, and to nobody else. */
async function withProgress<Result>(
  work: (onProgress: (written: number, expected: number) => void) => Promise<Result>,
): Promise<Result> {
  if (!process.stderr.isTTY) return work(() => undefined);
  const { progress } = await import("@clack/prompts");
  const bar = progress({ max: 100, output: process.stderr });
  let shown = 0;
  bar.start("Copying");
  try {
    const result = await work((written, expected) => {
      const percent = expected === 0 ? 100 : Math.floor((100 * written) / expected);
      bar.advance(percent - shown, `Copying ${bytesText(written)} of ${bytesText(expected)}`);
      shown = percent;
    });
    bar.stop("Copied");
    return result;
  } catch (error) {
    bar.stop("Not copied");
    throw error;
  }
}
