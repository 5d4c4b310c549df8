import type { Page, SessionStorage } from "./page.ts";

/**
 * Where a visitor's session is kept. It is read anew for every use, so what another tab writes holds
 * here too. An entry is the session's id and a mark that changes with the session's identity.
 */
export interface SessionJar {
  /** The entry; `undefined` when there is none. */
  read(): string | undefined;
  /** Keeps this entry for a session, by default a new one; gives what was kept. */
  write(sessionId: string, entry?: string): string;
  clear(): void;
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

const ENTRY = "antechamber.session";
const COOKIE = /(?:^|; )sessionId=([\w-]{40})(?:;|$)/;
const SESSION_ID = /^[\w-]{40}$/;

/** The session's id in an entry. */
export function idOf(entry: string): string {
  return entry.slice(0, 40);
}

/** Whether this can be an id of the service (contract, section 1). */
export function isSessionId(text: string | null | undefined): text is string {
  return SESSION_ID.test(text ?? "");
}

/** Opens the jar; works, for this tab alone, where storage and cookies are blocked. */
export function openJar({ page, storage, cookie }: JarOptions): SessionJar {
  const shared = storage === false ? undefined : working(storage, page);
  const document = cookie ? page?.document : undefined;
  let own: string | undefined;
  const kept = () => (shared ? (quietly(() => shared.getItem(ENTRY)) ?? undefined) : own);

  function setCookie(value: string): void {
    const secure = page?.location.protocol === "https:" ? "; Secure" : "";
    quietly(() => {
      if (document) document.cookie = `sessionId=${value}; Path=/; SameSite=Lax${secure}`;
    });
  }

  return {
    shared,
    read() {
      const entry = kept();
      // The site's server sees the cookie and may have set it: it goes first.
      const fromCookie = quietly(() => COOKIE.exec(document?.cookie ?? "")?.[1]);
      if (fromCookie && !entry?.startsWith(fromCookie)) return fromCookie;
      return entry && isSessionId(idOf(entry)) ? entry : undefined;
    },
    write(sessionId, entry = `${sessionId} ${Math.random()}`) {
      own = entry;
      quietly(() => shared?.setItem(ENTRY, entry));
      setCookie(sessionId);
      return entry;
    },
    clear() {
      own = undefined;
      quietly(() => shared?.removeItem(ENTRY));
      setCookie("; Max-Age=0");
    },
  };
}

/** The storage, if it takes and gives: one that is blocked or full throws. */
function working(
  storage: SessionStorage | undefined,
  page: Page | undefined,
): SessionStorage | undefined {
  return quietly(() => {
    const candidate = storage ?? page?.localStorage;
    candidate?.setItem(`${ENTRY}.test`, "");
    candidate?.removeItem(`${ENTRY}.test`);
    return candidate;
  });
}

function quietly<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch {
    return undefined;
  }
}
