import type { StoreOptions } from "../../../src/stores/store-options.ts";

/** The session object of a framework. */
export type SessionObject = Record<string, unknown>;

/** A visitor's session as a handler sees it. */
export interface Visit {
  readonly session: SessionObject;
  /** The session's id. */
  id(): string;
  /** The methods of the framework. After the first two, `session()` returns the new object. */
  regenerate(): Promise<SessionObject>;
  reload(): Promise<SessionObject>;
  destroy(): Promise<void>;
  save(): Promise<void>;
  /** Deletes the session object of the request; only with express-session. */
  unset?(): void;
}

export interface SiteOptions extends StoreOptions {
  readonly cookie?: { readonly maxAge?: number };
  readonly rolling?: boolean;
  /** The option of express-session. */
  readonly unset?: "destroy" | "keep";
}

/** A web site whose every request is handled by the function that the test gives. */
export interface Site extends AsyncDisposable {
  readonly url: string;
  handle: (visit: Visit) => unknown;
}

export type StartSite = (options: SiteOptions) => Promise<Site>;

/** A time limit (ms) of calls that a busy machine keeps; the default is that of people who wait for a page. */
export const TIMEOUT_MS = 60_000;

export const SECRET = "a secret of more than thirty-two characters";
