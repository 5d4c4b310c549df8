import { CliError, exitCodes } from "./exit-codes.ts";
import type { Output } from "./output.ts";

/** Shows how far work has come: `done` is 0 to 1. */
export type ShowProgress = (done: number, text: string) => void;

/** Lets a signal end `work` in good order; the command then ends with the sentence `stopped`. */
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

/** How often (ms) work whose end is far is told of where there is no terminal. */
const REMARK_EVERY = 10_000;

/** Work of minutes: a bar for whoever watches a terminal, and a line now and then for everybody else. */
export function withProgress<Result>(
  texts: { readonly begun: string; readonly done: string; readonly failed: string },
  output: Output,
  work: (show: ShowProgress) => Promise<Result>,
): Promise<Result> {
  if (process.stderr.isTTY) return withBar(texts, work);
  let remarkedAt = performance.now();
  return work((done, text) => {
    if (performance.now() - remarkedAt < REMARK_EVERY) return;
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
