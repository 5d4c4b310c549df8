import { type Page, type PageEvent, quietly, type SessionStorage } from "./page.ts";
import { handleOf, isSessionId } from "./session-id.ts";

/**
 * Stores a visitor's session for all tabs: in the storage, in the page's cookie, and in memory if
 * neither of them can store it. It is read again for every use, so that writes of other tabs count here
 * too.
 *
 * A reset stores a generation, which only rises, and the handles of the forgotten sessions. Code that
 * writes after an `await` compares the generation from before it. A write by a tab that had not yet
 * seen a reset is recognized by its lower generation and undone.
 */
export interface SessionJar {
  /** The entry: the session's id and a mark that changes with its identity; `undefined` without one. */
  read(): string | undefined;
  /** The time of the last reset in any tab, Unix ms, always higher than the one before; 0: never. */
  generation(): number;
  /** Stores this entry for a session, by default one with a new mark; returns the entry. */
  write(sessionId: string, entry?: string): string;
  /** Forgets the session and raises the generation. */
  reset(): void;
  /** Whether the session was forgotten by one of the last resets. */
  isForgotten(sessionId: string): boolean;
  /** Forgets a session that arrived unrequested, such as by the cookie of a late response. */
  refuse(sessionId: string): void;
  /** Stops listening to the page. */
  close(): void;
  /** What all tabs see; `undefined` where each is alone. */
  readonly shared: SessionStorage | undefined;
}

export interface JarOptions {
  readonly page: Page | undefined;
  /** `false`: nothing but memory. By default a page's `localStorage`, elsewhere memory. */
  readonly storage?: SessionStorage | false | undefined;
  /** Whether the id is in the page's cookie `sessionId` too. */
  readonly cookie: boolean;
}

interface Kept {
  /** Empty if there is no session. */
  readonly entry: string;
  readonly generation: number;
  /** Handles of forgotten sessions, the latest at the end. */
  readonly forgotten: readonly string[];
}

const ENTRY = "antechamber.session";
/** The cookie for a generation that the storage could not store. */
const RESET_COOKIE = "antechamber.reset";
/** An entry, the generation, and handles. */
const KEPT = /^([\w-]{40}\.\d+|)~(\d{1,15})((?:~[\w-]{24})*)$/;
/** How many forgotten sessions are remembered. */
const MAX_FORGOTTEN = 8;
const NO_COOKIE = "; Max-Age=0";

/** The session's id in an entry. */
export function idOf(entry: string): string {
  return entry.slice(0, 40);
}

/** Opens the jar; if storage and cookies are blocked or full, it works only for this tab. */
export function openJar({ page, storage, cookie }: JarOptions): SessionJar {
  const shared =
    storage === false ? undefined : (storage ?? quietly(() => page?.localStorage) ?? undefined);
  const document = cookie ? page?.document : undefined;
  let kept: Kept = { entry: "", generation: 0, forgotten: [] };
  /** The content of the storage when it was last read: as long as it is unchanged, `kept` counts. */
  let seen: string | null | undefined;
  let seenReset: string | undefined;
  /** The content that was read last. */
  let last = "";
  /** Cookies that remained beside the one written last, such as those of another path or domain: ignored. */
  let stuck: readonly string[] = [];

  /** `undefined` without a readable storage. */
  const stored = () => quietly(() => shared?.getItem(ENTRY));
  const cookies = (name: string) =>
    (quietly(() => document?.cookie) ?? "")
      .split("; ")
      .filter((pair) => pair.startsWith(`${name}=`))
      .map((pair) => pair.slice(name.length + 1));

  function setCookie(name: string, value: string): void {
    const secure = page?.location.protocol === "https:" ? "; Secure" : "";
    quietly(() => {
      if (document) document.cookie = `${name}=${value}; Path=/; SameSite=Lax${secure}`;
    });
  }

  function put(next: Kept): void {
    kept = next;
    const text = textOf(kept);
    const store = () => {
      quietly(() => shared?.setItem(ENTRY, text));
      seen = stored();
      return seen === text;
    };
    if (store() || kept.entry) return;
    // A reset has to reach the other tabs, even if the storage is full.
    quietly(() => shared?.removeItem(ENTRY));
    if (!store()) setCookie(RESET_COOKIE, text);
  }

  /** Takes over an entry written by another tab; `isStored`: it is the current content of the storage. */
  function take(theirs: Kept, isStored: boolean): void {
    const isLater = theirs.generation > kept.generation;
    const isOlder = theirs.generation < kept.generation;
    // Forgets the session that this tab used before it saw a reset, and a session that another tab
    // wrote before it saw one.
    const late = isLater ? [kept.entry, last] : isOlder ? [theirs.entry] : [];
    const isTheirs = isLater || (isStored && !(isOlder && theirs.entry));
    const handles = late.map(handleOf).filter((handle) => !theirs.forgotten.includes(handle));
    kept = forgetting(
      {
        entry: isTheirs ? theirs.entry : kept.entry,
        generation: Math.max(theirs.generation, kept.generation),
        forgotten: kept.forgotten,
      },
      [...theirs.forgotten, ...handles],
    );
    // Also if the site has cleared its storage: the other tabs need the generation.
    if (isLater ? handles.join("") || !isStored : isOlder && isStored) put(kept);
  }

  /** Returns the current state, including writes of other tabs. */
  function look(): Kept {
    const text = stored();
    if (text !== undefined && text !== seen) {
      seen = text;
      take(keptIn(text), true);
    }
    const reset = cookies(RESET_COOKIE)[0];
    if (reset !== seenReset) {
      seenReset = reset;
      take(keptIn(reset), false);
    }
    return kept;
  }

  function read(): string | undefined {
    const { entry, forgotten } = look();
    // The site's server reads the cookie and may have set it, so it takes precedence.
    const ids = cookies("sessionId").filter((id) => isSessionId(id) && !stuck.includes(id));
    last = entry;
    if (ids.length > 0 && !ids.includes(idOf(entry))) {
      const given = ids.find((id) => !forgotten.includes(handleOf(id)));
      // A late response has restored a forgotten session.
      if (!given) setCookie("sessionId", idOf(entry) || NO_COOKIE);
      else last = given;
    }
    return last || undefined;
  }

  /** Handles a write by another tab, even if this tab has written something else since. */
  function hear({ key, newValue, storageArea }: PageEvent): void {
    // An event without a key means that everything was cleared.
    if ((key !== ENTRY && key !== null) || storageArea !== shared) return;
    look();
    take(keptIn(newValue), false);
    read();
  }
  if (shared) page?.addEventListener("storage", hear);

  return {
    shared,
    read,
    generation: () => look().generation,
    // All entries have the same length, so one entry can replace another in a full storage.
    write(sessionId, entry = sessionId + Math.random().toFixed(16).slice(1)) {
      put({ ...look(), entry });
      setCookie("sessionId", sessionId);
      stuck = cookies("sessionId").filter((id) => id !== sessionId);
      return entry;
    },
    reset() {
      const handles = [handleOf(kept.entry), handleOf(read() ?? "")];
      const generation = Math.max(Date.now(), kept.generation + 1);
      put(forgetting({ ...kept, entry: "", generation }, handles));
      setCookie("sessionId", NO_COOKIE);
    },
    isForgotten: (sessionId) => look().forgotten.includes(handleOf(sessionId)),
    refuse(sessionId) {
      put(forgetting(look(), [handleOf(sessionId)]));
      if (seen !== textOf(kept)) setCookie(RESET_COOKIE, textOf({ ...kept, entry: "" }));
      // This also corrects the cookie.
      read();
    },
    close: () => page?.removeEventListener("storage", hear),
  };
}

function textOf({ entry, generation, forgotten }: Kept): string {
  return [entry, generation, ...forgotten].join("~");
}

function keptIn(text: string | null | undefined): Kept {
  const [, entry = "", generation = "0", forgotten = ""] = KEPT.exec(text ?? "") ?? [];
  return {
    entry,
    generation: Number(generation),
    forgotten: forgotten.split("~").slice(1),
  };
}

/** Returns the state with these handles added to the forgotten ones, of which only the latest are kept. */
function forgetting(kept: Kept, handles: readonly string[]): Kept {
  const forgotten = [...new Set([...kept.forgotten, ...handles])].filter(Boolean);
  const entry = forgotten.includes(handleOf(kept.entry)) ? "" : kept.entry;
  return { ...kept, entry, forgotten: forgotten.slice(-MAX_FORGOTTEN) };
}
