import type { Exchange } from "./exchange.ts";

const SWITCHING_PROTOCOLS = 101;

/** The response with what tells the caller of a new session: the same one where it can be changed. */
export function tellResponse(response: Response, exchange: Exchange): Response {
  const added = exchange.headers();
  // The answer to a WebSocket's request is the server's own.
  if (added.length === 0 || response.status === SWITCHING_PROTOCOLS) return response;
  const told = hasOpenHeaders(response) ? response : new Response(response.body, response);
  // An answer that hands out a session is for one visitor, also in caches that keep cookies.
  if (!told.headers.has("cache-control")) told.headers.set("cache-control", "private");
  for (const [name, value] of added) told.headers.append(name, value);
  return told;
}

/** Those of `fetch` and of redirects are closed (Fetch standard, "headers guard"). */
function hasOpenHeaders({ headers }: Response): boolean {
  try {
    headers.delete("gkc-sessionId");
    return true;
  } catch {
    return false;
  }
}
