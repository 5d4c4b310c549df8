import { type CurrentSession, resetError } from "./current-session.ts";
import { handleOf, isSessionId } from "./session-id.ts";
import { sleep } from "./sleep.ts";
import type { Fetch } from "./transport.ts";

const HEADER = "gkc-sessionId";
/**
 * Response header with the handle of the session that the new `gkc-sessionId` replaces; `none` if the request had no
 * session.
 */
const REPLACES = "gkc-replaces";
/** Maximum time (ms) that a request waits for its session. Then it is sent without one. */
const MAX_WAIT_MS = 1000;
/** After a request was sent without its session, other requests do not wait for this time (ms). */
const NO_WAIT_MS = 5000;
const MAX_RETRIES = 2;
/** Maximum `Retry-After` of a 503, in seconds. If it is longer, the caller gets the 503 at once. */
const MAX_RETRY_AFTER = 5;
/** Methods whose requests may be repeated (RFC 9110, section 9.2.2). */
const idempotentMethods: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];

/**
 * Returns a `fetch` that sends the session in the header `gkc-sessionId`, but only to these origins. While the service
 * is down, requests are sent without a session after a short wait.
 *
 * If a response has another id in the same header, the client changes to that session. First it must be certain that
 * the response belongs to this request and is not an older one from a cache. So the header `gkc-replaces` must name the
 * session that was sent. If the request had no session, its response cannot be distinguished from an older one; then a
 * new id is accepted only if there was no reset yet.
 *
 * If there is no response, or a 503 with `Retry-After`, the request is repeated if its method allows it.
 */
export function createSiteFetch(current: CurrentSession, doFetch: Fetch, origins: readonly string[]): Fetch {
  let waitAgainAt = 0;

  async function sessionId(): Promise<string | undefined> {
    if (Date.now() < waitAgainAt) return current.id();
    const session = await Promise.race([current.get(), sleep(MAX_WAIT_MS)]).catch(() => undefined);
    if (!session) waitAgainAt = Date.now() + NO_WAIT_MS;
    return current.id();
  }

  return async (input, init) => {
    const request = new Request(input as string, init);
    if (!origins.includes(new URL(request.url).origin)) return await doFetch(request);
    const generation = current.generation();
    const idAtCall = current.id();
    let sent = await sessionId();
    if (generation !== current.generation()) {
      // There was no session at the call. If the request were sent without an id now, the browser would add the cookie
      // of the next visitor's session.
      if (!idAtCall && sent) throw resetError();
      sent = idAtCall;
    }
    if (sent) request.headers.set(HEADER, sent);
    const response = await fetchWithRetries(request, doFetch);
    const received = response.headers.get(HEADER);
    // After a redirect to another origin, the response is not from the site.
    const isFromSite = origins.includes(new URL(response.url || request.url).origin);
    if (isFromSite && received !== sent && isSessionId(received)) {
      const replaces = response.headers.get(REPLACES);
      const isFresh = sent ? replaces === handleOf(sent) : replaces === "none" && generation === 0;
      if (generation !== current.generation()) current.forget(received);
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
      const seconds = Number(response.headers.get("retry-after"));
      const asksToRetry = response.status === 503 && seconds > 0 && seconds <= MAX_RETRY_AFTER;
      if (retriesLeft === 0 || !asksToRetry) return response;
      await response.body?.cancel();
      waitMs = seconds * 1000;
    } catch (error) {
      if (retriesLeft === 0 || request.signal.aborted) throw error;
    }
    await sleep(waitMs);
  }
}
