import { type Fetch, requestInit } from "./call.ts";
import { errorFromResponse, ProblemError } from "./problem-error.ts";

export interface LinesOptions {
  readonly url: string;
  readonly key?: string | undefined;
  readonly fetch: Fetch;
  /** Maximum time (ms) to wait for more data; 10,000 by default. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The media type to ask for, if the service has several. */
  readonly accept?: string | undefined;
}

interface Chunk {
  readonly done: boolean;
  readonly value?: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * Yields the lines of a long response as they arrive. Rejects with the service's refusal, with `timeout` if no data
 * arrives within the time limit, with `network` if the connection breaks, or with the signal's reason. If the caller
 * stops iterating, aborts the request.
 */
export async function* readLines(options: LinesOptions): AsyncGenerator<string, void> {
  const { url, key, accept, timeout = 10_000 } = options;
  const timedOut = new AbortController();
  const stopped = new AbortController();
  const signals = [timedOut.signal, stopped.signal, ...(options.signal ? [options.signal] : [])];
  const init = requestInit({ method: "GET", path: "" }, key);
  init.signal = AbortSignal.any(signals);
  if (accept) init.headers["accept"] = accept;

  async function withTimeout<T>(work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => timedOut.abort(), timeout);
    try {
      return await work;
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw new ProblemError({ code: timedOut.signal.aborted ? "timeout" : "network", cause });
    } finally {
      clearTimeout(timer);
    }
  }

  try {
    const response = await withTimeout(options.fetch(url, init));
    if (!response.ok) throw errorFromResponse(response, await withTimeout(response.text()));
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const chunk = await withTimeout<Chunk>(reader?.read() ?? Promise.resolve({ done: true }));
      const lines = (rest + decoder.decode(chunk.value, { stream: !chunk.done })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
      if (chunk.done) return;
    }
  } finally {
    stopped.abort();
  }
}
