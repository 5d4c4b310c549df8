import type { Fetch } from "@antechamber/client/transport";

/** Time in milliseconds before its end at which a token is replaced. */
const EARLY_MS = 30_000;

interface Token {
  readonly text: string;
  /** Unix ms. */
  readonly expiresAt: number;
}

/**
 * Creates a `fetch` that sends a view token. The token comes from `src`, an address on the page's own server, as JSON with
 * `token` and `expiresAt`. It is fetched when it is first needed, again shortly before it expires, and once after a 401.
 */
export function createTokenSource(src: string): { readonly fetch: Fetch } {
  let current: Promise<Token> | undefined;

  const tokenText = async (isRefused: boolean): Promise<string> => {
    const known = isRefused ? undefined : await current?.catch(() => undefined);
    if (known !== undefined && known.expiresAt - Date.now() > EARLY_MS) return known.text;
    const fetched = fetchToken(src);
    current = fetched;
    return (await fetched).text;
  };

  return {
    async fetch(input, init) {
      const send = async (isRefused: boolean) => {
        const headers = new Headers(init?.headers);
        headers.set("authorization", `Bearer ${await tokenText(isRefused)}`);
        return await fetch(input, { ...init, headers, credentials: "omit" });
      };
      const response = await send(false);
      return response.status === 401 ? await send(true) : response;
    },
  };
}

async function fetchToken(src: string): Promise<Token> {
  const response = await fetch(src, { headers: { accept: "application/json" }, cache: "no-store" });
  if (!response.ok) throw new Error(`the address of the attribute token-src responds with ${response.status}`);
  const { token, expiresAt } = (await response.json()) as { readonly token?: unknown; readonly expiresAt?: unknown };
  if (typeof token !== "string") throw new Error("the address of the attribute token-src returns no token");
  const end = typeof expiresAt === "string" ? Date.parse(expiresAt) : Number.NaN;
  // A token without an end is used until a 401 replaces it.
  return { text: token, expiresAt: Number.isNaN(end) ? Number.POSITIVE_INFINITY : end };
}
