import { type Fetch, requestInit } from "./call.ts";
import { errorOfAnswer, ProblemError } from "./problem-error.ts";

export interface LinesOptions {
  readonly url: string;
  readonly key?: string | undefined;
  readonly fetch: Fetch;
  /** How long nothing may come, in milliseconds; 10,000 by default. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Chunk {
  readonly done: boolean;
  readonly value?: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * The lines of a long answer as they come. Rejects with the refusal, `timeout` where nothing comes for
 * too long, `network` where it breaks off, or the signal's reason. Whoever stops taking them ends it.
 */
export async function* readLines(options: LinesOptions): AsyncGenerator<string, void> {
  const { url, key, timeout = 10_000 } = options;
  const quiet = new AbortController();
  const ours = new AbortController();
  const signals = [quiet.signal, ours.signal, ...(options.signal ? [options.signal] : [])];
  const init = requestInit({ method: "GET", path: "" }, AbortSignal.any(signals), key);

  async function within<T>(work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => quiet.abort(), timeout);
    try {
      return await work;
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw new ProblemError({ code: quiet.signal.aborted ? "timeout" : "network", cause });
    } finally {
      clearTimeout(timer);
    }
  }

  try {
    const response = await within(options.fetch(url, init));
    if (!response.ok) throw errorOfAnswer(response, await within(response.text()));
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const chunk: Chunk = await within<Chunk>(reader?.read() ?? Promise.resolve({ done: true }));
      const lines = (rest + decoder.decode(chunk.value, { stream: !chunk.done })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
      if (chunk.done) return;
    }
  } finally {
    ours.abort();
  }
}
