/** The used part of the Web Locks API (W3C). */
export interface Locks {
  request(
    name: string,
    options: { readonly signal: AbortSignal },
    task: () => Promise<void>,
  ): Promise<void>;
}

/** A store of texts by name: `localStorage`, `sessionStorage` or a similar object. */
export interface WebStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/** The used members of a page's events (for `storage` events see HTML standard, section 12.2.4). */
export interface PageEvent {
  readonly key?: string | null;
  readonly newValue?: string | null;
  readonly storageArea?: unknown;
}

interface PageEvents {
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
  removeEventListener(type: string, listener: (event: PageEvent) => void): void;
}

/** The used members of a web page's `window`. */
export interface Page extends PageEvents {
  readonly document: PageEvents & { cookie: string; readonly visibilityState: string };
  readonly location: { readonly origin: string; readonly protocol: string };
  readonly navigator: { readonly locks?: Locks };
  /** Throws if the user has blocked it; `null` in some embedded browsers. */
  readonly localStorage: WebStorage | null;
}

/** Returns the current page; `undefined` in workers and on servers, even if they have some of its members. */
export function currentPage(): Page | undefined {
  const scope = globalThis as unknown as Partial<Page>;
  return scope.document && scope.location ? (scope as Page) : undefined;
}

/** Returns whether this runs on a server: not in a page, a worker of one, or an app that has a `window`. */
export function isServer(): boolean {
  const scope = globalThis as unknown as Partial<
    Record<
      "process" | "Deno" | "document" | "window" | "location",
      { versions?: { node?: string } }
    >
  >;
  const isRuntime = scope.process?.versions?.node ?? scope.Deno;
  // Edge runtimes have none of these, and neither a `window` nor a `location`.
  return !scope.document && Boolean(isRuntime ?? !(scope.window ?? scope.location));
}

/** Returns the result of `task`; `undefined` if it throws, as a blocked or full storage does. */
export function quietly<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch {
    return undefined;
  }
}
