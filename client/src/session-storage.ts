import type { ClientOptions } from "./client.ts";
import { type Page, type PageEvent, quietly, type WebStorage } from "./page.ts";
import { handleOf, isRetiredBy, isSessionId } from "./session-id.ts";
import { formatState, parseState, type SessionState, sessionIdOf, withForgotten, withSuffix } from "./session-state.ts";

/**
 * Stores a visitor's session for all tabs: in the web storage and the page's cookie, or in memory if neither works.
 * Every access reads the storage again, to see writes by other tabs.
 *
 * A reset stores its time and the handles of the forgotten sessions. Code that writes after an `await` must first
 * compare the time of the last reset with the one before. A write by a tab that has not seen a reset yet has an earlier
 * time; it is recognized by that and undone. Likewise a write by a tab that has not seen a rotation yet has an earlier
 * id of the same session.
 */
export interface SessionStorage {
  /** The storage that all tabs share; `undefined` if each tab has its own state. */
  readonly shared: WebStorage | undefined;
  /** Returns the entry; empty if there is no session. */
  read(): string;
  /** Stores an entry for a session and returns it. By default it is an entry with a new random suffix. */
  write(sessionId: string, entry?: string): string;
  /** Forgets the session and stores the time of this reset. */
  reset(): void;
  /** Returns the time (Unix ms) of the last reset in any tab, which rises with every reset; 0 if there was none. */
  resetAt(): number;
  /** Returns whether a recent reset has forgotten the session. */
  isForgotten(sessionId: string): boolean;
  /** Returns whether the stored session is the one with this id, but has a later id. Ignores cookies. */
  isRetired(sessionId: string): boolean;
  /** Forgets a session that the site's server set although the page did not ask, such as by a late response. */
  forget(sessionId: string): void;
}

const STORAGE_KEY = "antechamber.session";
const COOKIE = "sessionId";
/** Name of the cookie that holds the state if the storage could not store it. */
const RESET_COOKIE = "antechamber.reset";

/**
 * Opens the storage. If the web storage and cookies are blocked or full, the state is only in this tab's memory. Listens
 * to the page's events until `closing` is aborted.
 */
export function openSessionStorage(
  page: Page | undefined,
  { storage, cookie = true }: Pick<ClientOptions, "storage" | "cookie">,
  closing: AbortSignal,
): SessionStorage {
  const shared = (storage ?? quietly(() => page?.localStorage)) || undefined;
  let state = parseState("");
  /** The text in the storage when it was last read. While the text is the same, `state` is up to date. */
  let lastText: string | null | undefined;
  let lastResetCookie: string | undefined;
  /** The entry that `read` returned last. */
  let lastRead = "";
  /** Ids in cookies of the same name that our own cookie cannot replace, because their path or domain differs. */
  let ignoredIds: readonly string[] = [];

  function read(): string {
    const { forgotten } = refresh();
    let { entry } = state;
    // The site's server reads the cookie and may have set it, so the cookie takes precedence over the storage.
    const ids = cookies(COOKIE).filter((id) => isSessionId(id) && !ignoredIds.includes(id));
    const own = sessionIdOf(entry);
    if (ids.length > 0 && !ids.includes(own)) {
      const given = ids.find((id) => !forgotten.includes(handleOf(id)) && !isRetiredBy(id, own));
      if (given) entry = given;
      // The cookie names a forgotten session or has a retired id, because a response arrived late. Corrects the cookie.
      else setSessionCookie(own);
      // The site's server has rotated the session. The new id is stored, because a late response may change the cookie.
      if (isRetiredBy(own, entry)) {
        entry = withSuffix(entry);
        save({ ...state, entry });
      }
    }
    lastRead = entry;
    return entry;
  }

  function write(sessionId: string, entry = withSuffix(sessionId)): string {
    save({ ...refresh(), entry });
    // A cookie of the site's server, which may have other attributes, is not replaced by the same id.
    if (!cookies(COOKIE).includes(sessionId)) setSessionCookie(sessionId);
    ignoredIds = cookies(COOKIE).filter((id) => id !== sessionId);
    return entry;
  }

  function reset(): void {
    const handles = [handleOf(state.entry), handleOf(read())];
    const resetAt = Math.max(Date.now(), state.resetAt + 1);
    save(withForgotten({ ...state, entry: "", resetAt }, handles));
    setSessionCookie("");
  }

  function forget(sessionId: string): void {
    save(withForgotten(refresh(), [handleOf(sessionId)]));
    if (lastText !== formatState(state)) setCookie(RESET_COOKIE, formatState({ ...state, entry: "" }));
    // `read` corrects the cookie too.
    read();
  }

  /** Returns the text in the storage; `undefined` if there is no readable storage. */
  const textInStorage = () => quietly(() => shared?.getItem(STORAGE_KEY));

  /** Returns the values of all cookies with a name. */
  const cookies = (name: string): readonly string[] =>
    ((cookie && quietly(() => page?.document.cookie)) || "")
      .split("; ")
      .filter((pair) => pair.startsWith(`${name}=`))
      .map((pair) => pair.slice(name.length + 1));

  function setCookie(name: string, value: string): void {
    if (!cookie || !page) return;
    const secure = page.location.protocol === "https:" ? "; Secure" : "";
    quietly(() => {
      page.document.cookie = `${name}=${value}; Path=/; SameSite=Lax${secure}`;
    });
  }

  /** Writes the session's cookie; deletes it if `sessionId` is empty. Without `maxAge`, it lasts until the browser is closed. */
  function setSessionCookie(sessionId: string): void {
    const { maxAge } = cookie as { maxAge?: number };
    const age = sessionId ? maxAge : 0;
    setCookie(COOKIE, age === undefined ? sessionId : `${sessionId}; Max-Age=${age}`);
  }

  function save(next: SessionState): void {
    state = next;
    const text = formatState(next);
    const store = () => {
      // An unchanged text is not written: another tab may have just written a later one that is not visible here yet.
      if (textInStorage() !== text) quietly(() => shared?.setItem(STORAGE_KEY, text));
      lastText = textInStorage();
      return lastText === text;
    };
    if (store() || next.entry) return;
    // A reset must reach the other tabs even if the storage is full: space is freed first, and if that does not help,
    // the state is written to a cookie.
    quietly(() => shared?.removeItem(STORAGE_KEY));
    if (!store()) setCookie(RESET_COOKIE, text);
  }

  /** Merges a state that another tab has written. `isStored` says whether that state is still in the storage. */
  function merge(text: string | null | undefined, isStored: boolean): void {
    const own = state;
    const theirs = parseState(text);
    const isLater = theirs.resetAt > own.resetAt;
    const isOlder = theirs.resetAt < own.resetAt;
    // Forgets the session from before the reset: if the other tab knows a later reset, the one that this tab has used;
    // if it knows only an earlier one, the one that the other tab has written.
    const late = isLater ? [own.entry, lastRead] : isOlder ? [theirs.entry] : [];
    const isRetired = isRetiredBy(theirs.entry, own.entry);
    const isRotated = isRetiredBy(own.entry, theirs.entry);
    const isTheirs = isLater || isRotated || (isStored && !isRetired && !(isOlder && theirs.entry));
    const handles = late.map(handleOf).filter((handle) => !theirs.forgotten.includes(handle));
    const { entry } = isTheirs ? theirs : own;
    const resetAt = Math.max(theirs.resetAt, own.resetAt);
    state = withForgotten({ ...own, entry, resetAt }, [...theirs.forgotten.split("~"), ...handles]);
    // Stores the merged state, even if the site has cleared its storage: the other tabs still need the time of the reset
    // and the latest id.
    const isOutdated = isStored ? isOlder || isRetired : isRotated;
    if (isLater ? handles.join("") || !isStored : isOutdated) save(state);
  }

  /** Returns the current state, including writes of other tabs. */
  function refresh(): SessionState {
    const text = textInStorage();
    if (text !== undefined && text !== lastText) {
      lastText = text;
      merge(text, true);
    }
    const [resetCookie] = cookies(RESET_COOKIE);
    if (resetCookie !== lastResetCookie) {
      lastResetCookie = resetCookie;
      merge(resetCookie, false);
    }
    return state;
  }

  /** Handles a write by another tab. This tab may have written again since then. */
  function onStorage({ key, newValue, storageArea }: PageEvent): void {
    // The event's key is `null` if the whole storage was cleared.
    if ((key !== STORAGE_KEY && key !== null) || storageArea !== shared) return;
    refresh();
    merge(newValue, false);
    read();
  }

  if (shared) page?.addEventListener("storage", onStorage, { signal: closing });

  return {
    shared,
    read,
    write,
    reset,
    resetAt: () => refresh().resetAt,
    isForgotten: (sessionId) => refresh().forgotten.includes(handleOf(sessionId)),
    isRetired: (sessionId) => isRetiredBy(sessionId, refresh().entry),
    forget,
  };
}
