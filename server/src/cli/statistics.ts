import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import type { Config } from "../config/config.ts";
import { parseDuration } from "../config/values.ts";
import { withAdmin } from "./connect.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { timeIn } from "./option-values.ts";
import type { Output } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";
import { charactersOf } from "./sparkline.ts";
import { reportOf } from "./statistics-report.ts";

/** Interval (ms) at which `--watch` shows statistics again. */
const WATCH_MS = 10_000;
/** Number of characters in a line if the terminal does not report it. */
const DEFAULT_WIDTH = 80;
/** Control sequence of ECMA-48 that moves to the first line and clears the screen below it. */
const CLEAR = "\u001B[H\u001B[J";

/** The terminal on which statistics are shown. */
export interface Terminal {
  readonly isTerminal: boolean;
  /** Number of characters in a line; `undefined` if it is unknown. */
  readonly columns: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface StatisticsOptions {
  /** Returns the start (Unix ms), counted back from `now` (Unix ms) if it is a duration. */
  readonly since?: (now: number) => number;
  /** Returns the end (Unix ms), counted back from `now` (Unix ms) if it is a duration. */
  readonly until?: (now: number) => number;
  /** Seconds. */
  readonly step?: number;
  readonly watch?: true;
  readonly json?: true;
}

const processTerminal = (): Terminal => ({
  isTerminal: process.stdout.isTTY,
  columns: process.stdout.columns,
  env: process.env,
});

/** `stats`: shows statistics over time. */
export function statisticsCommand(output: Output, terminal = processTerminal): Command {
  const command = new Command("stats")
    .description("show statistics over time: sessions, recorded requests, the API")
    .option("--since <time>", "the start: a time, or how long ago, such as 6h or 14d (default: 1h)", momentOf)
    .option("--until <time>", "the end, in the same way (default: now)", momentOf)
    .option("--step <duration>", "length of a step: whole minutes (default: 1m, or longer for a long range)", stepOf)
    .option("--watch", "refresh every 10 seconds, until the command is interrupted")
    .option("--json", "print JSON, as GET /stats returns it")
    .action(async (options: StatisticsOptions, self: Command) => {
      const { config } = loadSettings(self);
      await showStatistics(config, options, output, terminal());
    });
  return addExamples(addSettings(command, dataSettings), [
    ["stats", "the last hour"],
    ["stats --since 14d --step 1h", "the last two weeks, hour by hour"],
    ["stats --watch", "what happens now"],
  ]);
}

async function showStatistics(
  config: Config,
  options: StatisticsOptions,
  output: Output,
  terminal: Terminal,
): Promise<void> {
  const { watch: isWatched, json: isJson } = options;
  if (isWatched && (isJson || !terminal.isTerminal)) {
    throw new CliError(exitCodes.usage, "--watch needs a terminal and cannot be combined with --json");
  }
  for (;;) {
    const info = await withAdmin(config, (admin) => admin.readStatistics(rangeOf(options)));
    if ("faults" in info) {
      throw new CliError(exitCodes.usage, info.faults.map(({ detail }) => detail).join(" "));
    }
    if (isJson) {
      output.printJson(info);
      return;
    }
    const report = reportOf(info, {
      width: terminal.columns ?? DEFAULT_WIDTH,
      characters: terminal.isTerminal ? charactersOf(terminal.env) : null,
      isColoured: output.isColoured,
    });
    output.print(isWatched ? CLEAR + report : report);
    if (!isWatched) return;
    await delay(WATCH_MS);
  }
}

function rangeOf({ since, until, step }: StatisticsOptions) {
  const now = Date.now();
  return {
    ...(since !== undefined && { since: since(now) }),
    ...(until !== undefined && { until: until(now) }),
    ...(step !== undefined && { step }),
  };
}

/** Parses a time, or a duration before `now` (Unix ms). Returns a function that returns the time (Unix ms). */
function momentOf(text: string): (now: number) => number {
  const length = parseDuration(text);
  if (length !== undefined) return (now) => now - length;
  const time = timeIn(text);
  if (time !== undefined) return () => time;
  throw new InvalidArgumentError(
    "Give a duration before now, such as 6h or 14d, or a time, such as 2026-11-30T12:00:00Z.",
  );
}

function stepOf(text: string): number {
  const step = (parseDuration(text) ?? 0) / 1000;
  if (step >= 60 && step % 60 === 0) return step;
  throw new InvalidArgumentError("A step is a number of whole minutes, hours or days, such as 5m or 1h.");
}
