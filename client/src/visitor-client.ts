import { createRequestSender, fetchOf } from "./call.ts";
import type { Client, ClientOptions } from "./client.ts";
import { createCurrentSession } from "./current-session.ts";
import { createMutex } from "./mutex.ts";
import type { Page } from "./page.ts";
import { isUnanswered, type ProblemError } from "./problem-error.ts";
import { createRecorder } from "./recorder.ts";
import { isSessionId } from "./session-id.ts";
import { createSessionOperations } from "./session-operations.ts";
import { openSessionStorage } from "./session-storage.ts";
import { createSiteFetch } from "./site-fetch.ts";
import { sleep } from "./sleep.ts";

/** Maximum time (ms) for which a sign-out waits until the session's last records are sent. */
const MAX_FLUSH_MS = 1000;

/** Creates the client for a page, or for a program without a page. The options must already be checked. */
export function createVisitorClient(page: Page | undefined, options: ClientOptions): Client {
  const { timeout = 10_000, origins = [], rotate = true } = options;
  const doFetch = fetchOf(options);
  const transport = createSessionOperations(createRequestSender(options));
  const closing = new AbortController();
  const storage = openSessionStorage(page, options, closing.signal);
  const mutex = createMutex(page, storage.shared, timeout);
  const current = createCurrentSession(transport, storage, mutex, rotate);
  const recorder = createRecorder(transport, current, page, closing.signal, options.onError);
  if (isSessionId(options.sessionId)) current.adopt(options.sessionId, current.id());

  /** Calls `work` with the session's id, and again with the next one if the session has expired or was rotated. */
  async function inSession<T>(work: (sessionId: string) => Promise<T>): Promise<T> {
    const { sessionId } = await current.get();
    try {
      return await work(sessionId);
    } catch (error) {
      const next = (error as ProblemError).code === "session-not-found" && (await current.successorOf(sessionId));
      if (!next) throw error;
      return await work(next);
    }
  }

  return {
    session: current.get,
    identify: (ids, given) => falseIfUnanswered(current.identify(ids, given)),
    fetch: createSiteFetch(current, doFetch, origins, page?.location.origin),
    data: (given) => inSession((id) => transport.readData(id, given)),
    update: (patch, given) => inSession((id) => transport.mergeData(id, patch, given)),
    replace: (data, given) => inSession((id) => transport.replaceData(id, data, given)),
    record: recorder.record,
    flush: recorder.flush,
    async timeline(range) {
      await recorder.flush();
      return await transport.timeline((await current.get()).sessionId, range);
    },
    async signOut() {
      const sessionId = current.id();
      current.reset();
      // An ended session accepts no records.
      await Promise.race([recorder.flush(), sleep(MAX_FLUSH_MS)]).catch(() => undefined);
      if (!sessionId) return true;
      return await falseIfUnanswered(transport.end(sessionId, { keepalive: true }).then(() => true));
    },
    reset: current.reset,
    close() {
      closing.abort();
      return recorder.flush();
    },
  };
}

/** Returns the result of a call; `false` if the service did not respond in time. */
async function falseIfUnanswered<T>(call: Promise<T>): Promise<T | false> {
  try {
    return await call;
  } catch (error) {
    if (isUnanswered(error as ProblemError)) return false;
    throw error;
  }
}
