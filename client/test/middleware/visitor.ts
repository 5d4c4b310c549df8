/** A response of a test site. */
export interface Page {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The session in the body; `null` if there is none. */
  readonly seen: Seen | null;
}

export interface Seen {
  readonly sessionId: string;
  readonly state: string;
  readonly customerId: string | null;
  readonly isNew: boolean;
}

/** A visitor's browser, which stores cookies. */
export interface Visitor {
  /** Address of the site. */
  readonly site: string;
  readonly cookies: Map<string, string>;
  visit(path: string, init?: RequestInit): Promise<Page>;
}

export function createVisitor(site: string): Visitor {
  const cookies = new Map<string, string>();
  return {
    site,
    cookies,
    async visit(path, init = {}) {
      const headers = new Headers(init.headers);
      if (cookies.size > 0) headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
      const response = await fetch(site + path, { ...init, headers, redirect: "manual" });
      const text = await response.text();
      for (const cookie of response.headers.getSetCookie()) {
        const [pair = ""] = cookie.split(";", 1);
        cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
      }
      return {
        status: response.status,
        headers: response.headers,
        text,
        seen: seenIn(text),
      };
    },
  };
}

function seenIn(text: string): Seen | null {
  return text.startsWith("{") ? (JSON.parse(text) as { session: Seen | null }).session : null;
}
