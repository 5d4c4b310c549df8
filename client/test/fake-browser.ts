import type { ClientOptions } from "../src/client.ts";
import type { Locks, Page, PageEvent, WebStorage } from "../src/page.ts";
import { openSessionStorage, type SessionStorage } from "../src/session-storage.ts";

/** The storage and locks of a browser. */
export interface BrowserOptions {
  /**
   * `slow`: another tab sees a write only after `deliver`. `full`: there is no space. `mute`: writes are lost silently.
   * `blocked`: the getter throws.
   */
  readonly storage: "works" | "slow" | "full" | "mute" | "blocked";
  readonly locks: boolean;
}

/** The tabs of one browser at one site. */
export interface FakeBrowser {
  readonly cookies: Map<string, string>;
  openTab(): Page;
  /** Shows a tab the next write to the storage; returns false if there is none. */
  deliver(tab: number): boolean;
}

/** Creates a storage in memory, which several clients can share like tabs. */
export function createWebStorage(): WebStorage {
  const entries = new Map<string, string>();
  return {
    getItem: (name) => entries.get(name) ?? null,
    setItem: (name, value) => void entries.set(name, value),
    removeItem: (name) => void entries.delete(name),
  };
}

interface Write {
  readonly by: number;
  readonly key: string;
  readonly value: string | null;
}

/** Opens a browser without a screen and a network. */
export function openBrowser({ storage, locks }: BrowserOptions): FakeBrowser {
  const cookies = new Map<string, string>();
  const writes: Write[] = [];
  const tabs: { seenWrites: number; notify(event: PageEvent): void; localStorage: WebStorage }[] = [];
  const manager = createLocks();

  /** Returns the value that a tab has last written or seen. */
  function valueIn(tab: number, key: string): string | null {
    const seenWrites = tabs[tab]?.seenWrites ?? 0;
    const last = writes.findLast((each, index) => each.key === key && (each.by === tab || index < seenWrites));
    return last?.value ?? null;
  }

  function write(by: number, key: string, value: string | null): void {
    if (storage === "mute") return;
    if (storage === "full" && value !== null) throw new DOMException("full", "QuotaExceededError");
    writes.push({ by, key, value });
    if (storage !== "slow") for (const tab of tabs.keys()) while (deliver(tab));
  }

  function deliver(index: number): boolean {
    const tab = tabs[index];
    const next = tab && writes[tab.seenWrites];
    if (!next) return false;
    tab.seenWrites += 1;
    if (next.by !== index) {
      tab.notify({ key: next.key, newValue: next.value, storageArea: tab.localStorage });
    }
    return true;
  }

  return {
    cookies,
    deliver,
    openTab() {
      const tab = tabs.length;
      const { notify, ...events } = createPageEvents();
      const localStorage: WebStorage = {
        getItem: (key) => valueIn(tab, key),
        setItem: (key, value) => write(tab, key, value),
        removeItem: (key) => write(tab, key, null),
      };
      tabs.push({ seenWrites: writes.length, notify, localStorage });
      return {
        ...events,
        document: {
          ...events,
          visibilityState: "visible",
          get cookie() {
            return [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
          },
          set cookie(line) {
            setCookie(cookies, line);
          },
        },
        location: { origin: "http://site.test", protocol: "http:" },
        navigator: locks ? { locks: manager } : {},
        get localStorage() {
          if (storage === "blocked") throw new DOMException("blocked", "SecurityError");
          return localStorage;
        },
      };
    },
  };
}

/** Creates the event functions of a page. `notify` sends a `storage` event. */
function createPageEvents() {
  const listeners = new Map<string, Set<(event: PageEvent) => void>>();
  return {
    addEventListener(type: string, listener: (event: PageEvent) => void, { signal }: { readonly signal: AbortSignal }) {
      listeners.set(type, (listeners.get(type) ?? new Set()).add(listener));
      signal.addEventListener("abort", () => listeners.get(type)?.delete(listener));
    },
    notify(event: PageEvent) {
      for (const listener of listeners.get("storage") ?? []) listener(event);
    },
  };
}

/** Opens the storage of a tab, which listens to the tab's events until the test ends. */
export function openStorage(page: Page, options: Pick<ClientOptions, "cookie"> = {}): SessionStorage {
  return openSessionStorage(page, options, new AbortController().signal);
}

/** Applies the parts of `Set-Cookie` that the tests use. */
export function setCookie(cookies: Map<string, string>, line: string): void {
  const [pair = ""] = line.split(";", 1);
  const [name = "", value = ""] = pair.split("=");
  if (line.includes("Max-Age=0")) cookies.delete(name);
  else cookies.set(name, value);
}

function createLocks(): Locks {
  let last: Promise<void> = Promise.resolve();
  return {
    request(_name, _options, task) {
      const turn = last.then(task);
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}
