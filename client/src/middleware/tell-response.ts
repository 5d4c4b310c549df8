import { nodeResponseOf } from "./answer-end.ts";
import type { Exchange } from "./exchange.ts";
import { beforeHead } from "./node-response.ts";
import { type ResponseHead, tellHead } from "./tell-head.ts";

/** The status of a response after which the connection speaks another protocol. */
export const SWITCHING_PROTOCOLS = 101;

/**
 * Returns a function that adds the headers of a new session to each response. If the server passes on Node's
 * own response, the headers are added to that one, which also works for a handler that writes to it.
 */
export function tellingResponses(
  exchange: Exchange,
  environment: unknown,
): (response: Response) => Response {
  const outgoing = nodeResponseOf(environment);
  if (outgoing === null) return (response) => tellResponse(response, exchange);
  beforeHead(outgoing, (head) => tellHead(head, exchange));
  return (response) => response;
}

/**
 * Returns the response, or a copy with the headers of a new session. Never changes the response itself: a
 * handler may return one response to all visitors, and the next one would get this visitor's session.
 */
function tellResponse(response: Response, exchange: Exchange): Response {
  if (exchange.headers().length === 0 || !isAnswer(response)) return response;
  try {
    const copy = copyOf(response);
    tellHead(headOf(copy), exchange);
    return copy;
  } catch {
    // Its body has already been read: the server reports that error.
    return response;
  }
}

/**
 * Returns a copy whose headers can be changed. Bun adds the type of a text, blob or file, and the requested
 * range, only when it sends a response with exactly that body, which a clone has.
 */
function copyOf(response: Response): Response {
  if (!("Bun" in globalThis)) return new Response(response.body, response);
  const copy = response.clone() as Response;
  // Nobody reads the original, so a stream must not be buffered for it.
  response.body?.cancel().catch(() => undefined);
  return copy;
}

/** False for the response to a WebSocket's request, which is the server's own, and for `Response.error()`. */
function isAnswer({ status }: Response): boolean {
  return status !== SWITCHING_PROTOCOLS && status !== 0;
}

function headOf({ status, headers }: Response): ResponseHead {
  return {
    status,
    names: () => [...headers.keys()],
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
