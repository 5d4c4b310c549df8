import { type Call, createFetchCalls, type StartCall, type TransportOptions } from "../call.ts";
import { UnreadableResponse } from "./response.ts";
import { createHttpSender, HttpTimeout } from "./send.ts";
import { createStandardFetchCheck } from "./standard-fetch.ts";

/** Time (ms) for which `fetch` is used after a response that only `fetch` can handle. */
const FETCH_MS = 60_000;
/** A path that a request line can contain as it is. `fetch` encodes others. */
const PATH = /^[\x21-\x7e]*$/;

/**
 * Returns the function that starts the calls of a server. On Node the calls use connections of this package, which take a
 * fraction of the CPU time of `fetch`, but only if `fetch` would do the same: the global `fetch`, its dispatcher and its
 * diagnostics are those of Node. Redirections, and responses that only `fetch` can read, are left to `fetch`.
 */
export function createServerCalls(options: TransportOptions): StartCall {
  const startFetch = createFetchCalls(options);
  const hasStandardFetch = options.fetch === undefined ? createStandardFetchCheck() : undefined;
  const text = String(options.url);
  // In a page, the address can be a path.
  if (hasStandardFetch === undefined || !URL.canParse(text)) return startFetch;
  const send = createHttpSender(new URL(text));
  let usesFetchUntil = 0;

  const startDirectly: StartCall = (request, init, timeout) => {
    const { path, signal } = request;
    const endsAt = performance.now() + timeout;
    const deadline = { aborted: false };
    let byFetch: Call | undefined;

    return {
      async send() {
        if (byFetch !== undefined) return await byFetch.send();
        const rest = endsAt - performance.now();
        try {
          const { status, headers, text: body } = await send({ ...init, path }, { timeout: rest, signal });
          if (!isRedirection(status)) return { ok: status < 300, status, headers, text: () => Promise.resolve(body) };
        } catch (error) {
          deadline.aborted = error instanceof HttpTimeout;
          if (!(error instanceof UnreadableResponse)) throw error;
        }
        usesFetchUntil = performance.now() + FETCH_MS;
        byFetch = startFetch(request, init, Math.max(0, Math.ceil(endsAt - performance.now())));
        return await byFetch.send();
      },
      get deadline() {
        return byFetch?.deadline ?? deadline;
      },
    };
  };

  return (request, init, timeout) => {
    const isDirect = performance.now() >= usesFetchUntil && PATH.test(request.path) && hasStandardFetch();
    return (isDirect ? startDirectly : startFetch)(request, init, timeout);
  };
}

function isRedirection(status: number): boolean {
  return status >= 300 && status < 400;
}
