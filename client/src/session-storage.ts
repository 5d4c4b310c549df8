import { type Page, type PageEvent, quietly, type WebStorage } from "./page.ts";
import { handleOf, isSessionId } from "./session-id.ts";
import {
  formatState,
  parseState,
  type SessionState,
  sessionIdOf,
  withForgotten,
} from "./session-state.ts";

export interface SessionStorageOptions {
  readonly page: Page | undefined;
  /** `false`: only memory. By default a page's `localStorage`, elsewhere memory. */
  readonly storage?: WebStorage | false | undefined;
  /** Whether the page's cookie `sessionId` has the id too. */
  readonly cookie: boolean;
}

const STORAGE_KEY = "antechamber.session";
const COOKIE = "sessionId";
/** The cookie for a state that the storage could not store. */
const RESET_COOKIE = "antechamber.reset";
/** The value that deletes a cookie. */
const NO_COOKIE = "; Max-Age=0";

/**
 * Stores a visitor's session for all tabs: in the web storage, in the page's cookie, and in memory if neither of
 * them can store it. Every use reads it again, so that writes of other tabs count here too.
 *
 * A reset stores a generation, which only rises, and the handles of the forgotten sessions. Code that
 * writes after an `await` compares the generation from before it. A write by a tab that had not yet
 * seen a reset is recognized by its lower generation and undone.
 */
export class SessionStorage {
  /** The storage that all tabs share; `undefined` if each tab is alone. */
  readonly shared: WebStorage | undefined;
  /** Stops listening to the page. */
  readonly close: () => void;
  /** `undefined` without cookies. */
  readonly #cookiePage: Page | undefined;
  #state = parseState("");
  /** The storage's text when it was last read: `#state` is valid until this text changes. */
  #lastText: string | null | undefined;
  #lastResetCookie: string | undefined;
  /** The last result of `read`. */
  #lastRead = "";
  /** Ids in cookies that our own cookie did not replace, such as those of another path or domain. */
  #ignoredIds: readonly string[] = [];

  /** Opens the storage; if web storage and cookies are blocked or full, it works only for this tab. */
  constructor({ page, storage, cookie }: SessionStorageOptions) {
    this.shared =
      storage === false ? undefined : (storage ?? quietly(() => page?.localStorage) ?? undefined);
    this.#cookiePage = cookie ? page : undefined;
    const onStorage = (event: PageEvent) => this.#onStorage(event);
    if (this.shared) page?.addEventListener("storage", onStorage);
    this.close = () => page?.removeEventListener("storage", onStorage);
  }

  /** Returns the entry; `undefined` without a session. */
  read(): string | undefined {
    const state = this.#refresh();
    let { entry } = state;
    // The site's server reads the cookie and may have set it, so it takes precedence.
    const ids = this.#cookies(COOKIE).filter(
      (id) => isSessionId(id) && !this.#ignoredIds.includes(id),
    );
    if (ids.length > 0 && !ids.includes(sessionIdOf(entry))) {
      const given = ids.find((id) => !state.forgotten.includes(handleOf(id)));
      if (given) entry = given;
      // A late response has restored a forgotten session.
      else this.#setCookie(COOKIE, sessionIdOf(entry) || NO_COOKIE);
    }
    this.#lastRead = entry;
    return entry || undefined;
  }

  /** Returns the time of the last reset in any tab, Unix ms; 0 without a reset. */
  generation(): number {
    return this.#refresh().generation;
  }

  /** Stores an entry for a session, by default one with a new suffix, and returns it. */
  // All entries have the same length, so that one can replace another in a full storage.
  write(sessionId: string, entry = sessionId + Math.random().toFixed(16).slice(1)): string {
    this.#save({ ...this.#refresh(), entry });
    this.#setCookie(COOKIE, sessionId);
    this.#ignoredIds = this.#cookies(COOKIE).filter((id) => id !== sessionId);
    return entry;
  }

  /** Forgets the session and raises the generation. */
  reset(): void {
    const handles = [handleOf(this.#state.entry), handleOf(this.read() ?? "")];
    const generation = Math.max(Date.now(), this.#state.generation + 1);
    this.#save(withForgotten({ ...this.#state, entry: "", generation }, handles));
    this.#setCookie(COOKIE, NO_COOKIE);
  }

  /** Returns whether one of the last resets has forgotten the session. */
  isForgotten(sessionId: string): boolean {
    return this.#refresh().forgotten.includes(handleOf(sessionId));
  }

  /** Forgets a session that arrived unrequested, such as by the cookie of a late response. */
  forget(sessionId: string): void {
    this.#save(withForgotten(this.#refresh(), [handleOf(sessionId)]));
    if (this.#lastText !== formatState(this.#state)) {
      this.#setCookie(RESET_COOKIE, formatState({ ...this.#state, entry: "" }));
    }
    // This also corrects the cookie.
    this.read();
  }

  /** Returns the storage's text; `undefined` without a readable storage. */
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
      quietly(() => this.shared?.setItem(STORAGE_KEY, text));
      this.#lastText = this.#text();
      return this.#lastText === text;
    };
    if (store() || next.entry) return;
    // A reset has to reach the other tabs, even if the storage is full.
    quietly(() => this.shared?.removeItem(STORAGE_KEY));
    if (!store()) this.#setCookie(RESET_COOKIE, text);
  }

  /** Merges a state written by another tab; `isStored`: the storage still has it. */
  #merge(text: string | null | undefined, isStored: boolean): void {
    const own = this.#state;
    const theirs = parseState(text);
    const isLater = theirs.generation > own.generation;
    const isOlder = theirs.generation < own.generation;
    // Forgets the session that this tab used before it saw a reset, and a session that another tab
    // wrote before it saw one.
    const late = isLater ? [own.entry, this.#lastRead] : isOlder ? [theirs.entry] : [];
    const isTheirs = isLater || (isStored && !(isOlder && theirs.entry));
    const handles = late.map(handleOf).filter((handle) => !theirs.forgotten.includes(handle));
    const { entry } = isTheirs ? theirs : own;
    const generation = Math.max(theirs.generation, own.generation);
    this.#state = withForgotten({ ...own, entry, generation }, [...theirs.forgotten, ...handles]);
    // Also if the site has cleared its storage: the other tabs need the generation.
    if (isLater ? handles.join("") || !isStored : isOlder && isStored) this.#save(this.#state);
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

  /** Handles a write by another tab, even if this tab has written something else since. */
  #onStorage({ key, newValue, storageArea }: PageEvent): void {
    // An event without a key means that everything was cleared.
    if ((key !== STORAGE_KEY && key !== null) || storageArea !== this.shared) return;
    this.#refresh();
    this.#merge(newValue, false);
    this.read();
  }
}
