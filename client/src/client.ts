import { checkClientOptions } from "./client-options.ts";
import { currentPage, isServer, type SessionStorage } from "./page.ts";
import type { RequestRecord, SessionInfo, Timeline } from "./protocol.ts";
import type { OnError } from "./recorder.ts";
import type { Fetch, Ids, TimelineOptions, TransportOptions } from "./transport.ts";
import { createVisitorClient } from "./visitor-client.ts";

export { ProblemError } from "./problem-error.ts";

export interface ClientOptions extends Omit<TransportOptions, "attempts"> {
  /** Where the session's id is kept: `localStorage` in a page, else memory; `false`: memory alone. */
  readonly storage?: SessionStorage | false | undefined;
  /** Whether the page's cookie `sessionId` has the id too, for the site's server; yes by default. */
  readonly cookie?: boolean | undefined;
  /** Origins beside the page's own that `fetch` gives the session to, such as `https://api.example`. */
  readonly origins?: readonly string[] | undefined;
  /** The session that the server has for this visitor, where the page knows it by other means. */
  readonly sessionId?: string | undefined;
  /** Hears of records that could not be delivered; `lost` of them are given up. */
  readonly onError?: OnError | undefined;
}

/** One visitor's session. Failed calls reject with a `ProblemError`. */
export interface Client {
  /** The current session, made where there is none: once, however many ask, in all tabs. */
  session(): Promise<SessionInfo>;
  /**
   * Says who the visitor is, or which visit this is. What is associated stays for the session's life
   * (contract.md#rule-1); where the session is another customer's or agent's, the visitor gets a new
   * one, without the visit that is the other's. Rejects with `already-exists` for a visit that is
   * taken or differs from the session's.
   */
  identify(ids: Ids): Promise<SessionInfo>;
  /** `fetch`, with the session for the site's own origin and those allowed, and nobody else. */
  readonly fetch: Fetch;
  /** Records requests in the session of this moment. They are sent within a second or so. */
  record(records: RequestRecord | readonly RequestRecord[]): void;
  /** Sends what is recorded; rejects when it could not be delivered. It is kept and tried again then. */
  flush(): Promise<void>;
  /** A page of the current session's timeline, with everything recorded here before. */
  timeline(options?: TimelineOptions): Promise<Timeline>;
  /**
   * Forgets the session here and in all tabs, as after signing out: the next visitor gets a new one,
   * whatever calls are in progress. A `session()` in progress resolves with the new one, an `identify` in
   * progress rejects with the code `reset`.
   */
  reset(): void;
  /** Sends what is recorded and stops listening to the page. */
  close(): Promise<void>;
}

/**
 * A client for one visitor: a web page, a worker, or a program. Servers use the middleware. Throws a
 * `TypeError` for invalid options.
 */
export function createClient(options: ClientOptions): Client {
  checkClientOptions(options);
  if (options.storage === undefined && isServer()) warnServer();
  return createVisitorClient(currentPage(), options);
}

let hasWarned = false;

/** Warns on a server, where all visitors would share the one session of the client. */
function warnServer(): void {
  if (hasWarned) return;
  hasWarned = true;
  console.warn(
    "createClient() is one session for all visitors of this server: use a middleware, such as " +
      "@antechamber/client/express. A program with one visitor says storage: false.",
  );
}
