import type { CurrentSession } from "./current-session.ts";
import { isServerRuntime } from "./page.ts";
import { ProblemError } from "./problem-error.ts";
import { handleOf, isSessionId } from "./session-id.ts";
import { sleep } from "./sleep.ts";
import type { Fetch } from "./transport.ts";

const HEADER = "gkc-sessionId";
/** Response header: handle of the session that the new `gkc-sessionId` replaces; `none` if the request had none. */
const REPLACES = "gkc-replaces";
/** Maximum time (ms) that a request waits for its session. Then it is sent without one. */
const MAX_WAIT_MS = 1000;
/** After a request had to be sent without a session, later requests do not wait for one for this time (ms). */
const NO_WAIT_MS = 5000;
const MAX_RETRIES = 2;
/** Maximum wait (ms) for the `Retry-After` of a 503. With a longer one, the caller gets the 503 at once. */
const MAX_RETRY_AFTER_MS = 5000;
/** Methods whose requests may be repeated (RFC 9110, section 9.2.2). */
const idempotentMethods: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];

/**
 * Returns a `fetch` that sends the session in the header `gkc-sessionId`, but only to `pageOrigin` and `origins`. While the service is
 * down, requests are sent without a session after a short wait. If there is no response, or a 503 with `Retry-After`,
 * the request is repeated if its method allows it.
 *
 * If a response has another id in the same header, the client changes to that session, but only if the response is
 * certainly to this request, and not to an older one, from a cache: `gkc-replaces` must name the session that was sent.
 * A request without a session gives no such proof; a new id is then accepted only if there was no reset yet.
 *
 * A request to `pageOrigin` fails if it is redirected to another origin, because a browser would send the header there.
 */
export function createSiteFetch(
  current: CurrentSession,
  doFetch: Fetch,
  origins: readonly string[],
  pageOrigin: string | undefined,
): Fetch {
  let waitAgainAt = 0;

  const trusted = [pageOrigin, ...origins];

  async function sessionId(): Promise<string> {
    if (Date.now() < waitAgainAt) return current.id();
    const session = await Promise.race([current.get(), sleep(MAX_WAIT_MS)]).catch(() => undefined);
    if (!session) waitAgainAt = Date.now() + NO_WAIT_MS;
    return current.id();
  }

  return async (input, init) => {
    let request = new Request(input as string, init);
    const { origin } = new URL(request.url);
    if (!trusted.includes(origin)) return await doFetch(request);
    // Server runtimes have no such mode.
    if (origin === pageOrigin && request.mode === "cors" && !isServerRuntime()) {
      request = new Request(request, { mode: "same-origin" });
    }
    const resetAt = current.resetAt();
    const idAtCall = current.id();
    let sent = await sessionId();
    if (resetAt !== current.resetAt()) {
      // There was no session at the call. A request without an id would now get the cookie of the next visitor's
      // session from the browser.
      if (!idAtCall && sent) throw new ProblemError({ code: "reset" });
      sent = idAtCall;
    }
    if (sent) request.headers.set(HEADER, sent);
    const response = await fetchWithRetries(request, doFetch);
    const received = response.headers.get(HEADER);
    // After a redirect to another origin, the response is not from the site.
    const isFromSite = trusted.includes(new URL(response.url || request.url).origin);
    if (isFromSite && received !== sent && isSessionId(received)) {
      const replaces = response.headers.get(REPLACES);
      const isFresh = sent ? replaces === handleOf(sent) : replaces === "none" && resetAt === 0;
      // The request was sent with an id that was retired since. Another session must not replace the new id.
      const isLate = handleOf(received) !== handleOf(sent) && current.isRetired(sent);
      if (resetAt !== current.resetAt() || isLate) current.forget(received);
      else if (isFresh) current.adopt(received, sent);
    }
    return response;
  };
}

async function fetchWithRetries(request: Request, doFetch: Fetch): Promise<Response> {
  const isRepeatable = idempotentMethods.includes(request.method) || request.headers.has("idempotency-key");
  for (let retriesLeft = isRepeatable ? MAX_RETRIES : 0; ; retriesLeft--) {
    let waitMs = 300;
    try {
      const response = await doFetch(retriesLeft > 0 ? (request.clone() as Request) : request);
      waitMs = Number(response.headers.get("retry-after")) * 1000;
      const asksToRetry = response.status === 503 && waitMs > 0 && waitMs <= MAX_RETRY_AFTER_MS;
      if (retriesLeft === 0 || !asksToRetry) return response;
      await response.body?.cancel();
    } catch (error) {
      if (retriesLeft === 0 || request.signal.aborted) throw error;
    }
    await sleep(waitMs);
  }
}
