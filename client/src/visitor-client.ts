import { fetchOf } from "./call.ts";
import type { Client, ClientOptions } from "./client.ts";
import { CurrentSession } from "./current-session.ts";
import { createMutex } from "./mutex.ts";
import type { Page } from "./page.ts";
import { Recorder } from "./recorder.ts";
import { isSessionId } from "./session-id.ts";
import { SessionStorage } from "./session-storage.ts";
import { createSiteFetch } from "./site-fetch.ts";
import { createTransport } from "./transport.ts";

/** Creates the client for a page, or for a program without a page. The options must already be checked. */
export function createVisitorClient(page: Page | undefined, options: ClientOptions): Client {
  const { url, key, timeout = 10_000, cookie = true, origins = [] } = options;
  const doFetch = fetchOf(options);
  const transport = createTransport({ url, key, timeout, fetch: doFetch });
  const storage = new SessionStorage({ page, storage: options.storage, cookie });
  const mutex = createMutex(page, storage.shared, timeout);
  const current = new CurrentSession(transport, storage, mutex);
  const recorder = new Recorder(transport, current, page, options.onError);
  const ownOrigins = page ? [page.location.origin] : [];
  if (isSessionId(options.sessionId)) current.adopt(options.sessionId, current.id());

  return {
    session: () => current.get(),
    identify: (ids) => current.identify(ids),
    fetch: createSiteFetch(current, doFetch, [...ownOrigins, ...origins]),
    record: (records) => recorder.record(records),
    flush: () => recorder.flush(),
    async timeline(range) {
      await recorder.flush();
      return await transport.timeline((await current.get()).sessionId, range);
    },
    reset: () => current.reset(),
    async close() {
      storage.close();
      await recorder.close();
    },
  };
}
