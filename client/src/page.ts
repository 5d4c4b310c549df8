/** The Web Locks of a page (W3C Web Locks API), as far as they are used. */
export interface Locks {
  request(
    name: string,
    options: { readonly signal: AbortSignal },
    task: () => Promise<void>,
  ): Promise<void>;
}

/** What holds text by name: `localStorage`, `sessionStorage` or something like them. */
export interface SessionStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/** The members of a page's events that are used (for `storage` events see HTML standard, section 12.2.4). */
export interface PageEvent {
  readonly key?: string | null;
  readonly newValue?: string | null;
  readonly storageArea?: unknown;
}

interface Listening {
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
  removeEventListener(type: string, listener: (event: PageEvent) => void): void;
}

/** What is used of a web page. */
export interface Page extends Listening {
  readonly document: Listening & { cookie: string; readonly visibilityState: string };
  readonly location: { readonly origin: string; readonly protocol: string };
  readonly navigator: { readonly locks?: Locks };
  /** Throws if the user has blocked it; `null` in some embedded browsers. */
  readonly localStorage: SessionStorage | null;
}

/** The page that this runs in; `undefined` in workers and on servers, some of which have parts of it. */
export function currentPage(): Page | undefined {
  const scope = globalThis as unknown as Partial<Page>;
  return scope.document && scope.location ? (scope as Page) : undefined;
}

/** Whether this runs on a server: not in a page, a worker of one, or an app that has a `window`. */
export function isServer(): boolean {
  const scope = globalThis as unknown as Partial<
    Record<
      "process" | "Deno" | "document" | "window" | "location",
      { versions?: { node?: string } }
    >
  >;
  const isRuntime = scope.process?.versions?.node ?? scope.Deno;
  // Edge runtimes have none of these, and neither a window nor an address.
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
