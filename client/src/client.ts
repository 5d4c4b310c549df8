import { checkClientOptions } from "./client-options.ts";
import { currentPage, isServer, type WebStorage } from "./page.ts";
import type { MergePatch, RequestRecord, SessionData, SessionInfo, Timeline } from "./protocol.ts";
import type { OnError } from "./recorder.ts";
import type {
  DataOptions,
  Fetch,
  Ids,
  SessionOptions,
  TaggedData,
  TimelineOptions,
  TransportOptions,
} from "./transport.ts";
import { createVisitorClient } from "./visitor-client.ts";

export { ProblemError } from "./problem-error.ts";

export interface ClientOptions extends Omit<TransportOptions, "attempts"> {
  /** Where the session's id is stored: `localStorage` in a page, memory elsewhere, by default. `false`: memory only. */
  readonly storage?: WebStorage | false | undefined;
  /**
   * Whether the id is also written to the page's cookie `sessionId`, so that the site's server gets it; `true` by
   * default. `maxAge` is the time in seconds for which the browser keeps the cookie, at most 34,560,000 (400 days);
   * without it, until the browser is closed.
   */
  readonly cookie?: boolean | { readonly maxAge?: number | undefined } | undefined;
  /**
   * Whether the session gets a new id when `identify` gives it its first customer or agent; `true` by default. Nobody
   * who knew the old id then has access to the person's session (contract.md#rule-9).
   */
  readonly rotate?: boolean | undefined;
  /** Origins besides the page's own to which `fetch` sends the session, such as `https://api.example`. */
  readonly origins?: readonly string[] | undefined;
  /** Id of the visitor's session on the site's server, if the page knows the id. */
  readonly sessionId?: string | undefined;
  /**
   * Called when records could not be delivered. `lost` is the number of records that were dropped. By default the first
   * failure of each kind is printed with `console.warn`.
   */
  readonly onError?: OnError | undefined;
}

/** The operations on one visitor's session. A failed call rejects with a `ProblemError`. */
export interface Client {
  /** Returns the current session, or creates it. Simultaneous calls in all tabs share one new session. */
  session(): Promise<SessionInfo>;
  /**
   * Associates the ids of the visitor or of the visit with the session. Once set, an id does not change for the life of
   * the session (contract.md#rule-1). If the session belongs to another customer or agent, the visitor gets a new
   * session, which does not have the other person's visit. Rejects with `already-exists` if another session has the
   * given visit, or if this session has a different visit.
   *
   * The first customer or agent of a session gives it a new id, in all tabs (option `rotate`).
   *
   * Rejects for every refusal. Resolves with `false` if the service did not respond in time; the ids may be stored then,
   * and the same call again returns the session.
   *
   * @example
   * await client.identify({ customerId: "customer-4711" }, { label: "Firefox on Windows" });
   */
  identify(ids: Ids, options?: SessionOptions): Promise<SessionInfo | false>;
  /**
   * Returns the data that applications share in the session (contract.md#data), `{}` at first, and their `etag`.
   *
   * @example
   * const { data } = await client.data<{ cart?: Cart }>();
   */
  data<Data extends object = SessionData>(options?: DataOptions): Promise<TaggedData<Data>>;
  /**
   * Merges members into the session's data, and returns all data: `null` removes a member, objects are merged, other
   * values are replaced. With the option `ifMatch`, which takes an `etag`, rejects with `precondition-failed` if somebody
   * else has changed the data.
   *
   * @example
   * await client.update({ cart: { "sku-1": 2 }, locale: null });
   */
  update<Data extends object = SessionData>(patch: MergePatch<Data>, options?: DataOptions): Promise<TaggedData<Data>>;
  /** Replaces the session's data. */
  replace<Data extends object = SessionData>(data: Data, options?: DataOptions): Promise<TaggedData<Data>>;
  /**
   * Works like `fetch`, and also sends the session, but only to the page's own origin and to `origins`. In a browser a
   * request to the page's own origin rejects if it is redirected to another origin.
   */
  readonly fetch: Fetch;
  /**
   * Records requests in the current session. The records are sent within about a second.
   *
   * @example
   * client.record({ method: "VIEW", path: location.pathname });
   */
  record(records: RequestRecord | readonly RequestRecord[]): void;
  /** Sends all waiting records. Rejects if some could not be delivered; those are kept and sent again later. */
  flush(): Promise<void>;
  /** Returns a page of the current session's timeline. It includes the records of all earlier calls. */
  timeline(options?: TimelineOptions): Promise<Timeline>;
  /**
   * Ends the session, and forgets it in all tabs as `reset` does. Forgets it at once, before the service answers.
   *
   * Resolves with `true` if the session has ended, now or earlier. Resolves with `false` if the service did not answer
   * in time: the session is forgotten, and expires by itself. Rejects for a refusal; the session is forgotten too.
   */
  signOut(): Promise<boolean>;
  /**
   * Forgets the session in all tabs without ending it. The next visitor gets a new session, even if calls are in
   * progress: a `session()` in progress resolves with the new session, and an `identify()` in progress rejects with the
   * code `reset`.
   */
  reset(): void;
  /** Sends all waiting records, and stops listening to the page's events. */
  close(): Promise<void>;
}

let hasWarned = false;

/**
 * Creates a client for one visitor, in a web page, a worker or a program. A server has many visitors, so it uses a
 * middleware instead. Throws a `TypeError` if an option is invalid.
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
