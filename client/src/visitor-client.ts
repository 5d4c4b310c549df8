import type { Client, ClientOptions } from "./client.ts";
import { createCurrentSession } from "./current-session.ts";
import { createExclusive } from "./exclusive.ts";
import type { Page } from "./page.ts";
import { createRecorder } from "./recorder.ts";
import { isSessionId } from "./session-id.ts";
import { openJar } from "./session-jar.ts";
import { createSiteFetch } from "./site-fetch.ts";
import { createTransport, type Fetch } from "./transport.ts";

/** The client in a page, or outside of any. The options have been checked. */
export function createVisitorClient(page: Page | undefined, options: ClientOptions): Client {
  const { url, key, timeout = 10_000, cookie = true, origins = [] } = options;
  const doFetch: Fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const transport = createTransport({ url, key, timeout, fetch: doFetch });
  const jar = openJar({ page, storage: options.storage, cookie });
  const exclusive = createExclusive(page, jar.shared, timeout);
  const current = createCurrentSession(transport, jar, exclusive);
  const recorder = createRecorder(transport, current, page, options.onError ?? (() => undefined));
  const own = page ? [page.location.origin] : [];
  if (isSessionId(options.sessionId)) current.adopt(options.sessionId, current.id());

  return {
    session: () => current.get(),
    identify: (ids) => current.identify(ids),
    fetch: createSiteFetch(current, doFetch, [...own, ...origins]),
    record: (records) => recorder.record(records),
    flush: () => recorder.flush(),
    async timeline(part) {
      await recorder.flush();
      return await transport.timeline((await current.get()).sessionId, part);
    },
    reset: () => current.reset(),
    async close() {
      jar.close();
      await recorder.close();
    },
  };
}
