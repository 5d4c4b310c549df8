import { CliError, exitCodes } from "./exit-codes.ts";
import type { Output } from "./output.ts";

/** Shows how far a command is. `done` is the finished share, 0 to 1. */
export type ShowProgress = (done: number, text: string) => void;

/** Runs `work` with a signal that SIGINT and SIGTERM abort. An aborted command fails with the message `stopped`. */
export async function interruptibly<Result>(
  stopped: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const stop = () => controller.abort(new CliError(exitCodes.failure, stopped));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** Time (ms) between two remarks about the progress if there is no terminal. */
const REMARK_INTERVAL_MS = 10_000;

/** Runs `work` and shows its progress: with a bar on a terminal, otherwise with a remark every ten seconds. */
export function withProgress<Result>(
  texts: { readonly begun: string; readonly done: string; readonly failed: string },
  output: Output,
  work: (show: ShowProgress) => Promise<Result>,
): Promise<Result> {
  if (process.stderr.isTTY) return withBar(texts, work);
  let remarkedAt = performance.now();
  return work((done, text) => {
    if (performance.now() - remarkedAt < REMARK_INTERVAL_MS) return;
    remarkedAt = performance.now();
    output.remark(`${text} (${Math.floor(done * 100)} %)`);
  });
}

async function withBar<Result>(
  texts: { readonly begun: string; readonly done: string; readonly failed: string },
  work: (show: ShowProgress) => Promise<Result>,
): Promise<Result> {
  const { progress } = await import("@clack/prompts");
  const bar = progress({ max: 100, output: process.stderr });
  let shown = 0;
  bar.start(texts.begun);
  try {
    const result = await work((done, text) => {
      const percent = Math.floor(100 * done);
      bar.advance(percent - shown, text);
      shown = percent;
    });
    bar.stop(texts.done);
    return result;
  } catch (error) {
    bar.stop(texts.failed);
    throw error;
  }
}
