/** The part of the Web Locks API (W3C) that this package uses. */
export interface Locks {
  request(name: string, options: { readonly signal: AbortSignal }, task: () => Promise<void>): Promise<void>;
}

/** A store of texts by names: `localStorage`, `sessionStorage` or an object with the same methods. */
export interface WebStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/** The members of events that this package uses (HTML standard, section 12.2.4, for `storage` events). */
export interface PageEvent {
  readonly key?: string | null;
  readonly newValue?: string | null;
  readonly storageArea?: unknown;
}

interface PageEvents {
  addEventListener(type: string, listener: (event: PageEvent) => void, options: { readonly signal: AbortSignal }): void;
}

/** The members of a web page's `window` that this package uses. */
export interface Page extends PageEvents {
  readonly document: PageEvents & { cookie: string; readonly visibilityState: string };
  readonly location: { readonly origin: string; readonly protocol: string };
  readonly navigator: { readonly locks?: Locks };
  /** Reading this member throws if the user has blocked the storage. It is `null` in some embedded browsers. */
  readonly localStorage: WebStorage | null;
}

/**
 * Returns the current web page; `undefined` in workers and on servers, even if they define some of a page's globals.
 */
export function currentPage(): Page | undefined {
  const scope = globalThis as unknown as Partial<Page>;
  return scope.document && scope.location ? (scope as Page) : undefined;
}

/** Returns whether this code runs on a server: not in a page, a worker of a page, or an app with a `window`. */
export function isServer(): boolean {
  const scope = globalThis as unknown as Partial<Record<"document" | "window" | "location", unknown>>;
  // Edge runtimes are servers too. They have no `process` or `Deno`, but also no `window` and no `location`.
  return !scope.document && (isServerRuntime() || !(scope.window ?? scope.location));
}

/** Returns whether this code runs on Node, Bun or Deno, also in a test that defines a page's globals. */
export function isServerRuntime(): boolean {
  const scope = globalThis as unknown as { process?: { versions?: { node?: string } }; Deno?: unknown };
  return Boolean(scope.process?.versions?.node ?? scope.Deno);
}

/** Returns the result of `task`; `undefined` if it throws. A blocked or full storage throws, for example. */
export function quietly<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch {
    return undefined;
  }
}
