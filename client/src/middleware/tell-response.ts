import type { Exchange } from "./exchange.ts";
import { type ResponseHead, tellHead } from "./tell-head.ts";

/** The status of an answer after which the connection speaks another protocol. */
export const SWITCHING_PROTOCOLS = 101;

/** The response with what tells the visitor of a new session: the same one where it can be changed. */
export function tellResponse(response: Response, exchange: Exchange): Response {
  if (exchange.headers().length === 0 || !isAnswer(response)) return response;
  const told = changeable(response);
  if (told !== null) tellHead(headOf(told.headers), exchange);
  return told ?? response;
}

/** Not so the answer to a WebSocket's request, which is the server's own, and `Response.error()`. */
function isAnswer({ status }: Response): boolean {
  return status !== SWITCHING_PROTOCOLS && status !== 0;
}

/** The response, or a copy whose headers are open; `null` where there can be none. */
function changeable(response: Response): Response | null {
  if (hasOpenHeaders(response)) return response;
  try {
    return new Response(response.body, response);
  } catch {
    // Its body is being read already: it is for the server to say what is wrong.
    return null;
  }
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

function headOf(headers: Headers): ResponseHead {
  return {
    values(name) {
      if (name === "set-cookie") return headers.getSetCookie();
      const value = headers.get(name);
      return value === null ? [] : [value];
    },
    set(name, values) {
      headers.delete(name);
      for (const value of values) headers.append(name, value);
    },
  };
}
