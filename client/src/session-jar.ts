import { type Page, type PageEvent, quietly, type SessionStorage } from "./page.ts";
import { handleOf, isSessionId } from "./session-id.ts";

/**
 * Stores a visitor's session for all tabs: in the storage, in the page's cookie, and in memory for
 * what neither of them takes. It is read again for every use, so what another tab writes counts here
 * too.
 *
 * A reset leaves a generation behind, which only rises, and the handles of the sessions that were
 * forgotten. Whoever wants to write after an `await` compares the generation from before it. What a
 * tab writes that had not heard of a reset yet is recognized by its lower generation and undone.
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
  /** Forgets a session that came in by itself, such as by the cookie of a late response. */
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
  /** Empty when there is no session. */
  readonly entry: string;
  readonly generation: number;
  /** Handles of forgotten sessions, the latest at the end. */
  readonly forgotten: readonly string[];
}

const ENTRY = "antechamber.session";
/** The cookie for a generation that the storage did not take. */
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

/** Opens the jar; works, for this tab alone, where storage and cookies are blocked or full. */
export function openJar({ page, storage, cookie }: JarOptions): SessionJar {
  const shared =
    storage === false ? undefined : (storage ?? quietly(() => page?.localStorage) ?? undefined);
  const document = cookie ? page?.document : undefined;
  let kept: Kept = { entry: "", generation: 0, forgotten: [] };
  /** What the storage held when it was looked at last: as long as it does, `kept` counts. */
  let seen: string | null | undefined;
  let seenReset: string | undefined;
  /** What was read last. */
  let last = "";
  /** Cookies that stayed beside the one written last, as of another path or domain: not followed. */
  let stuck: readonly string[] = [];

  /** `undefined` where there is no storage that can be read. */
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
    // A reset has to reach the other tabs, however little room there is.
    quietly(() => shared?.removeItem(ENTRY));
    if (!store()) setCookie(RESET_COOKIE, text);
  }

  /** Takes over what another tab has written; `isStored`: it is what the storage holds now. */
  function take(theirs: Kept, isStored: boolean): void {
    const isLater = theirs.generation > kept.generation;
    const isOlder = theirs.generation < kept.generation;
    // What this tab took for the session before it heard of a reset is forgotten, and so is what
    // another tab wrote before it heard of one.
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
    // Also where the site has cleared its storage: the other tabs need the generation.
    if (isLater ? handles.join("") || !isStored : isOlder && isStored) put(kept);
  }

  /** What is kept now, with what other tabs have written since. */
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
    // The site's server sees the cookie and may have set it: it goes first.
    const ids = cookies("sessionId").filter((id) => isSessionId(id) && !stuck.includes(id));
    last = entry;
    if (ids.length > 0 && !ids.includes(idOf(entry))) {
      const given = ids.find((id) => !forgotten.includes(handleOf(id)));
      // A late response has put a forgotten session back.
      if (!given) setCookie("sessionId", idOf(entry) || NO_COOKIE);
      else last = given;
    }
    return last || undefined;
  }

  /** Hears of what another tab wrote although this tab has written something else since. */
  function hear({ key, newValue, storageArea }: PageEvent): void {
    // Without a key, all was cleared.
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
    // All entries have one length: where a storage is full, another one fits instead of it.
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
      // Which puts the cookie right.
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

/** The same with these handles among the forgotten ones, of which the latest are remembered. */
function forgetting(kept: Kept, handles: readonly string[]): Kept {
  const forgotten = [...new Set([...kept.forgotten, ...handles])].filter(Boolean);
  const entry = forgotten.includes(handleOf(kept.entry)) ? "" : kept.entry;
  return { ...kept, entry, forgotten: forgotten.slice(-MAX_FORGOTTEN) };
}
