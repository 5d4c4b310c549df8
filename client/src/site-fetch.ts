import { type CurrentSession, overtaken } from "./current-session.ts";
import { pause } from "./pause.ts";
import { handleOf, isSessionId } from "./session-id.ts";
import type { Fetch } from "./transport.ts";

const HEADER = "gkc-sessionId";
/** In responses: the handle of the session that `gkc-sessionId` replaces, `none` if none was sent. */
const REPLACES = "gkc-replaces";
/** Milliseconds that a request of the site waits for its session, and goes without it then. */
const PATIENCE = 1000;
/** Milliseconds for which no request waits again after one went without. */
const IMPATIENCE = 5000;
const REPETITIONS = 2;
/** Seconds that a 503 may ask to wait; its answer is given to the caller otherwise. */
const MAX_RETRY_AFTER = 5;
/** Methods that may be repeated (RFC 9110, section 9.2.2). */
const idempotent: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];

/**
 * `fetch` with the session in the header `gkc-sessionId`, to these origins alone. An id that the
 * response carries in that header is taken over if the response is to this very request, and not an
 * older one from a cache: if its `gkc-replaces` names the session that was sent. If none was
 * sent, all such responses look alike: then it is taken over only before the first reset. Requests that may be
 * repeated are repeated after no response or a 503
 * with `Retry-After`. The service being down neither stops nor delays requests for long.
 */
export function createSiteFetch(
  current: CurrentSession,
  doFetch: Fetch,
  origins: readonly string[],
): Fetch {
  let waitAgainAt = 0;

  async function sessionId(): Promise<string | undefined> {
    if (Date.now() < waitAgainAt) return current.id();
    const isThere = current.get().then(
      () => true,
      () => false,
    );
    if (!(await Promise.race([isThere, pause(PATIENCE)]))) waitAgainAt = Date.now() + IMPATIENCE;
    return current.id();
  }

  return async (input, init) => {
    const request = new Request(input as string, init);
    if (!origins.includes(new URL(request.url).origin)) return await doFetch(request);
    const generation = current.generation();
    const own = current.id();
    let sent = await sessionId();
    if (generation !== current.generation()) {
      // Without its own id it would be sent with the cookie of the next visitor.
      if (!own && sent) throw overtaken();
      sent = own;
    }
    if (sent) request.headers.set(HEADER, sent);
    const response = await repeatedly(request, doFetch);
    const given = response.headers.get(HEADER);
    // After a redirect to another origin, the response is not the site's.
    const isOurs = origins.includes(new URL(response.url || request.url).origin);
    if (isOurs && given !== sent && isSessionId(given)) {
      const replaces = response.headers.get(REPLACES);
      const isFresh = sent ? replaces === handleOf(sent) : replaces === "none" && generation === 0;
      if (generation !== current.generation()) current.refuse(given);
      else if (isFresh) current.adopt(given, sent);
    }
    return response;
  };
}

async function repeatedly(request: Request, doFetch: Fetch): Promise<Response> {
  const mayRepeat = idempotent.includes(request.method) || request.headers.has("idempotency-key");
  for (let left = mayRepeat ? REPETITIONS : 0; ; left--) {
    let wait = 300;
    try {
      const response = await doFetch(left > 0 ? (request.clone() as Request) : request);
      const seconds = Number(response.headers.get("retry-after"));
      const asksForIt = response.status === 503 && seconds > 0 && seconds <= MAX_RETRY_AFTER;
      if (left === 0 || !asksForIt) return response;
      await response.body?.cancel();
      wait = seconds * 1000;
    } catch (error) {
      if (left === 0 || request.signal.aborted) throw error;
    }
    await pause(wait);
  }
}
