import type { SessionsOptions } from "../../../src/middleware/options.ts";
import type { RequestSession } from "../../../src/middleware/request-session.ts";
import type { Delivery } from "../../../src/middleware/request-tracking.ts";

/**
 * A small web site over a real framework:
 *
 *     GET  /page      the session, as JSON; also /page/ with anything behind it
 *     GET  /health    the same; some tests let the middleware ignore this path
 *     POST /sign-in   identifies the customer that the query `customer` names
 *     POST /sign-out  ends the session
 *     POST /count     counts a visit in the session's data
 *     GET  /fail      a handler that throws
 *     GET  /stream    "one", and "two" when the gate opens
 *     GET  /slow      a response when the gate opens
 */
export interface Site extends AsyncDisposable {
  readonly url: string;
  readonly delivery: Delivery;
  /** Holds the requests to `/stream` and `/slow`. */
  readonly gate: Gate;
}

/** Starts a site whose middleware has these options. */
export type StartSite = (options: SessionsOptions) => Promise<Site>;

/** Returns the options with a deadline that a busy machine keeps, unless they have one. */
export function withDeadline(options: SessionsOptions): SessionsOptions {
  return { deadline: 20_000, ...options };
}

/** Holds handlers until a test opens it. */
export interface Gate {
  /** Returns the number of handlers that have arrived. */
  arrivals(): number;
  pass(): Promise<void>;
  open(): void;
}

export function createGate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let arrivals = 0;
  return {
    arrivals: () => arrivals,
    pass() {
      arrivals += 1;
      return opened;
    },
    open: () => open(),
  };
}

/** Returns the body of a page. */
export function pageOf(session: RequestSession | null | undefined): string {
  return JSON.stringify({ session: session ?? null });
}

/** Identifies the customer, and returns the body of the response. */
export async function signIn(session: RequestSession | null, url: string): Promise<string> {
  const customerId = new URL(url, "http://site").searchParams.get("customer");
  const stored = await session?.identify({ customerId });
  return JSON.stringify({ stored: stored ?? null, session });
}

/** The data of the sites' sessions. */
export interface Visits {
  readonly visits?: number;
  readonly last?: { readonly by: string } | undefined;
}

/** Counts a visit in the session's data, and returns the body of the response. */
export async function count(session: RequestSession | null): Promise<string> {
  const counted = session as RequestSession<Visits> | null;
  const stored = await counted?.update(({ visits = 0 }) => ({ visits: visits + 1 }));
  return JSON.stringify({ stored: stored ?? null, session });
}

/** Ends the session, and returns the body of the response. */
export async function signOut(session: RequestSession | null): Promise<string> {
  return JSON.stringify({ ended: (await session?.end()) ?? null });
}
