import { type CurrentSession, resetError } from "./current-session.ts";
import { handleOf, isSessionId } from "./session-id.ts";
import { sleep } from "./sleep.ts";
import type { Fetch } from "./transport.ts";

const HEADER = "gkc-sessionId";
/** In responses: the handle of the session that `gkc-sessionId` replaces; `none` if the request sent no session. */
const REPLACES = "gkc-replaces";
/** Milliseconds that a request of the site waits for its session before it is sent without one. */
const MAX_WAIT_MS = 1000;
/** Milliseconds after such a request in which no other request waits. */
const NO_WAIT_MS = 5000;
const MAX_RETRIES = 2;
/** The longest `Retry-After` of a 503 that is waited for, in seconds. With a longer one the caller gets the 503. */
const MAX_RETRY_AFTER = 5;
/** Methods that may be repeated (RFC 9110, section 9.2.2). */
const idempotentMethods: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];

/**
 * Returns a `fetch` that sends the session in the header `gkc-sessionId`, only to these origins. If the service
 * is down, requests are sent without a session after a short wait.
 *
 * It adopts the id in the same header of a response only if the response is to this request, and not an older
 * one from a cache: its `gkc-replaces` must name the session that was sent. All responses to requests without a
 * session look alike, so these count only before the first reset.
 *
 * Requests that may be repeated are repeated after no response, or after a 503 with `Retry-After`.
 */
export function createSiteFetch(
  current: CurrentSession,
  doFetch: Fetch,
  origins: readonly string[],
): Fetch {
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
      // Without an id of its own, the request would be sent with the cookie of the next visitor.
      if (!idAtCall && sent) throw resetError();
      sent = idAtCall;
    }
    if (sent) request.headers.set(HEADER, sent);
    const response = await fetchWithRetries(request, doFetch);
    const received = response.headers.get(HEADER);
    // After a redirect to another origin, the response is not the site's.
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
  const isRepeatable =
    idempotentMethods.includes(request.method) || request.headers.has("idempotency-key");
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
