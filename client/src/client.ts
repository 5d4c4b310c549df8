import { checkClientOptions } from "./client-options.ts";
import { currentPage, isServer, type WebStorage } from "./page.ts";
import type { RequestRecord, SessionInfo, Timeline } from "./protocol.ts";
import type { OnError } from "./recorder.ts";
import type { Fetch, Ids, TimelineOptions, TransportOptions } from "./transport.ts";
import { createVisitorClient } from "./visitor-client.ts";

export { ProblemError } from "./problem-error.ts";

export interface ClientOptions extends Omit<TransportOptions, "attempts"> {
  /** The store of the session's id: `localStorage` in a page, else memory; `false`: only memory. */
  readonly storage?: WebStorage | false | undefined;
  /** Whether the page's cookie `sessionId` has the id too, for the site's server; `true` by default. */
  readonly cookie?: boolean | undefined;
  /** Origins that `fetch` sends the session to in addition to the page's own, such as `https://api.example`. */
  readonly origins?: readonly string[] | undefined;
  /** The visitor's session on the site's server, if the page knows it from there. */
  readonly sessionId?: string | undefined;
  /** Receives failures to deliver records. `lost` is the number of records given up. */
  readonly onError?: OnError | undefined;
}

/** One visitor's session. Failed calls reject with a `ProblemError`. */
export interface Client {
  /** Returns the current session. Creates one if there is none: only one for all simultaneous calls in all tabs. */
  session(): Promise<SessionInfo>;
  /**
   * Associates the visitor's ids, or those of the visit, with the session. An id that is set stays for the
   * session's life (contract.md#rule-1). If the session belongs to another customer or agent, the visitor gets a
   * new one, without the other person's visit. Rejects with `already-exists` for a visit that another session
   * has, or if the session has a different visit.
   *
   * @example
   * await client.identify({ customerId: "customer-4711" });
   */
  identify(ids: Ids): Promise<SessionInfo>;
  /** Works like `fetch`, and sends the session to the site's own origin and to the allowed origins only. */
  readonly fetch: Fetch;
  /**
   * Records requests in the current session. They are sent within about a second.
   *
   * @example
   * client.record({ method: "VIEW", path: location.pathname });
   */
  record(records: RequestRecord | readonly RequestRecord[]): void;
  /** Sends all waiting records. Rejects if some could not be delivered; these are kept and sent again later. */
  flush(): Promise<void>;
  /** Returns a page of the current session's timeline, with all records made before this call. */
  timeline(options?: TimelineOptions): Promise<Timeline>;
  /**
   * Forgets the session in all tabs, as after signing out: the next visitor gets a new one, even if calls are in
   * progress. A `session()` in progress resolves with the new one, an `identify` in progress rejects with the
   * code `reset`.
   */
  reset(): void;
  /** Sends all waiting records and stops listening to the page. */
  close(): Promise<void>;
}

let hasWarned = false;

/**
 * Creates a client for one visitor: for a web page, a worker, or a program. Servers use the middleware. Throws a
 * `TypeError` for invalid options.
 *
 * @example
 * const client = createClient({ url: "https://sessions.example" });
 * const { sessionId } = await client.session();
 */
export function createClient(options: ClientOptions): Client {
  checkClientOptions(options);
  if (!hasWarned && options.storage === undefined && isServer()) {
    hasWarned = true;
    console.warn(
      "createClient() makes one session for all visitors of this server: use a middleware, such as " +
        "@antechamber/client/express. In a program with one visitor, set storage: false.",
    );
  }
  return createVisitorClient(currentPage(), options);
}
