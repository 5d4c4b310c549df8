import { type Page, type PageEvent, quietly, type WebStorage } from "./page.ts";
import { handleOf, isRetiredBy, isSessionId } from "./session-id.ts";
import { formatState, parseState, type SessionState, sessionIdOf, withForgotten } from "./session-state.ts";

export interface SessionStorageOptions {
  readonly page: Page | undefined;
  /** Where the state is stored: `localStorage` in a page, memory elsewhere, by default. `false`: memory only. */
  readonly storage?: WebStorage | false | undefined;
  /** Whether the session's id is also written to the page's cookie `sessionId`. */
  readonly cookie: boolean | { readonly maxAge?: number | undefined };
}

const STORAGE_KEY = "antechamber.session";
const COOKIE = "sessionId";
/** Name of the cookie that holds the state if the storage could not store it. */
const RESET_COOKIE = "antechamber.reset";
/** Cookie attributes that delete a cookie. */
const NO_COOKIE = "; Max-Age=0";

/**
 * Stores a visitor's session for all tabs: in the web storage and the page's cookie, or in memory if neither works.
 * Every access reads the storage again, to see writes by other tabs.
 *
 * A reset stores its time and the handles of the forgotten sessions. Code that writes after an `await` must first
 * compare the time of the last reset with the one before. A write by a tab that has not seen a reset yet has an earlier
 * time; it is recognized by that and undone. Likewise a write by a tab that has not seen a rotation yet has an earlier
 * id of the same session.
 */
export class SessionStorage {
  /** The storage that all tabs share; `undefined` if each tab has its own state. */
  readonly shared: WebStorage | undefined;
  /** Stops listening to the page's events. */
  readonly close: () => void;
  /** The page whose cookies are used; `undefined` if cookies are not used. */
  readonly #cookiePage: Page | undefined;
  /** The attribute `Max-Age` of the session's cookie; empty if the cookie lasts until the browser is closed. */
  readonly #maxAge: string;
  #state = parseState("");
  /** The text in the storage when it was last read. While the text is the same, `#state` is up to date. */
  #lastText: string | null | undefined;
  #lastResetCookie: string | undefined;
  /** The entry that `read` returned last. */
  #lastRead = "";
  /** Ids in cookies of the same name that our own cookie cannot replace, because their path or domain differs. */
  #ignoredIds: readonly string[] = [];

  /** Opens the storage. If the web storage and cookies are blocked or full, the state is only in this tab's memory. */
  constructor({ page, storage, cookie }: SessionStorageOptions) {
    this.shared = storage === false ? undefined : (storage ?? quietly(() => page?.localStorage) ?? undefined);
    this.#cookiePage = cookie ? page : undefined;
    const { maxAge } = cookie as { maxAge?: number };
    this.#maxAge = maxAge ? `; Max-Age=${maxAge}` : "";
    const onStorage = (event: PageEvent) => this.#onStorage(event);
    if (this.shared) page?.addEventListener("storage", onStorage);
    this.close = () => page?.removeEventListener("storage", onStorage);
  }

  /** Returns the entry; `undefined` if there is no session. */
  read(): string | undefined {
    const state = this.#refresh();
    let { entry } = state;
    // The site's server reads the cookie and may have set it, so the cookie takes precedence over the storage.
    const ids = this.#cookies(COOKIE).filter((id) => isSessionId(id) && !this.#ignoredIds.includes(id));
    const own = sessionIdOf(entry);
    if (ids.length > 0 && !ids.includes(own)) {
      const given = ids.find((id) => !state.forgotten.includes(handleOf(id)) && !isRetiredBy(id, own));
      if (given) entry = given;
      // The cookie names a forgotten session or has a retired id, because a response arrived late. Corrects the cookie.
      else this.#setCookie(COOKIE, own ? own + this.#maxAge : NO_COOKIE);
      // The site's server has rotated the session. The new id is stored, because a late response may change the cookie.
      if (isRetiredBy(own, entry)) {
        entry = entryOf(entry);
        this.#save({ ...state, entry });
      }
    }
    this.#lastRead = entry;
    return entry || undefined;
  }

  /** Returns the time (Unix ms) of the last reset in any tab, which rises with every reset; 0 if there was none. */
  resetAt(): number {
    return this.#refresh().resetAt;
  }

  /** Stores an entry for a session and returns it. By default it is an entry with a new random suffix. */
  write(sessionId: string, entry = entryOf(sessionId)): string {
    this.#save({ ...this.#refresh(), entry });
    // A cookie of the site's server, which may have other attributes, is not replaced by the same id.
    if (!this.#cookies(COOKIE).includes(sessionId)) this.#setCookie(COOKIE, sessionId + this.#maxAge);
    this.#ignoredIds = this.#cookies(COOKIE).filter((id) => id !== sessionId);
    return entry;
  }

  /** Forgets the session and stores the time of this reset. */
  reset(): void {
    const handles = [handleOf(this.#state.entry), handleOf(this.read() ?? "")];
    const resetAt = Math.max(Date.now(), this.#state.resetAt + 1);
    this.#save(withForgotten({ ...this.#state, entry: "", resetAt }, handles));
    this.#setCookie(COOKIE, NO_COOKIE);
  }

  /** Returns whether a recent reset has forgotten the session. */
  isForgotten(sessionId: string): boolean {
    return this.#refresh().forgotten.includes(handleOf(sessionId));
  }

  /** Returns whether the stored session is the one with this id, but has a later id. Ignores cookies. */
  isRetired(sessionId: string): boolean {
    return isRetiredBy(sessionId, this.#refresh().entry);
  }

  /** Forgets a session that the site's server set although the page did not ask, such as by a late response. */
  forget(sessionId: string): void {
    this.#save(withForgotten(this.#refresh(), [handleOf(sessionId)]));
    if (this.#lastText !== formatState(this.#state)) {
      this.#setCookie(RESET_COOKIE, formatState({ ...this.#state, entry: "" }));
    }
    // `read` corrects the cookie too.
    this.read();
  }

  /** Returns the text in the storage; `undefined` if there is no readable storage. */
  #text(): string | null | undefined {
    return quietly(() => this.shared?.getItem(STORAGE_KEY));
  }

  #cookies(name: string): readonly string[] {
    return (quietly(() => this.#cookiePage?.document.cookie) ?? "")
      .split("; ")
      .filter((pair) => pair.startsWith(`${name}=`))
      .map((pair) => pair.slice(name.length + 1));
  }

  #setCookie(name: string, value: string): void {
    const page = this.#cookiePage;
    const secure = page?.location.protocol === "https:" ? "; Secure" : "";
    quietly(() => {
      if (page) page.document.cookie = `${name}=${value}; Path=/; SameSite=Lax${secure}`;
    });
  }

  #save(next: SessionState): void {
    this.#state = next;
    const text = formatState(next);
    const store = () => {
      // An unchanged text is not written: another tab may have just written a later one that is not visible here yet.
      if (this.#text() !== text) quietly(() => this.shared?.setItem(STORAGE_KEY, text));
      this.#lastText = this.#text();
      return this.#lastText === text;
    };
    if (store() || next.entry) return;
    // A reset must reach the other tabs even if the storage is full: space is freed first, and if that does not help,
    // the state is written to a cookie.
    quietly(() => this.shared?.removeItem(STORAGE_KEY));
    if (!store()) this.#setCookie(RESET_COOKIE, text);
  }

  /** Merges a state that another tab has written. `isStored` says whether that state is still in the storage. */
  #merge(text: string | null | undefined, isStored: boolean): void {
    const own = this.#state;
    const theirs = parseState(text);
    const isLater = theirs.resetAt > own.resetAt;
    const isOlder = theirs.resetAt < own.resetAt;
    // Forgets the session from before the reset: if the other tab knows a later reset, the one that this tab has used;
    // if it knows only an earlier one, the one that the other tab has written.
    const late = isLater ? [own.entry, this.#lastRead] : isOlder ? [theirs.entry] : [];
    const isRetired = isRetiredBy(theirs.entry, own.entry);
    const isRotated = isRetiredBy(own.entry, theirs.entry);
    const isTheirs = isLater || isRotated || (isStored && !isRetired && !(isOlder && theirs.entry));
    const handles = late.map(handleOf).filter((handle) => !theirs.forgotten.includes(handle));
    const { entry } = isTheirs ? theirs : own;
    const resetAt = Math.max(theirs.resetAt, own.resetAt);
    this.#state = withForgotten({ ...own, entry, resetAt }, [...theirs.forgotten, ...handles]);
    // Stores the merged state, even if the site has cleared its storage: the other tabs still need the time of the reset
    // and the latest id.
    const isOutdated = isStored ? isOlder || isRetired : isRotated;
    if (isLater ? handles.join("") || !isStored : isOutdated) this.#save(this.#state);
  }

  /** Returns the current state, including writes of other tabs. */
  #refresh(): SessionState {
    const text = this.#text();
    if (text !== undefined && text !== this.#lastText) {
      this.#lastText = text;
      this.#merge(text, true);
    }
    const [reset] = this.#cookies(RESET_COOKIE);
    if (reset !== this.#lastResetCookie) {
      this.#lastResetCookie = reset;
      this.#merge(reset, false);
    }
    return this.#state;
  }

  /** Handles a write by another tab. This tab may have written again since then. */
  #onStorage({ key, newValue, storageArea }: PageEvent): void {
    // The event's key is `null` if the whole storage was cleared.
    if ((key !== STORAGE_KEY && key !== null) || storageArea !== this.shared) return;
    this.#refresh();
    this.#merge(newValue, false);
    this.read();
  }
}

/** Returns a new entry for a session: its id and a random suffix. */
// All entries have the same length, so that a new entry can replace the old one even if the storage is full.
function entryOf(sessionId: string): string {
  return sessionId + Math.random().toFixed(16).slice(1);
}
