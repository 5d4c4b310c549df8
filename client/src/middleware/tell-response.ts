import { nodeResponseOf } from "./answer-end.ts";
import type { Exchange } from "./exchange.ts";
import { beforeHead } from "./node-response.ts";
import { type ResponseHead, tellHead } from "./tell-head.ts";

/** The status of an answer after which the connection speaks another protocol. */
export const SWITCHING_PROTOCOLS = 101;

/**
 * Returns what makes of each response the one to send: with what tells the visitor of a new session.
 * Where the server hands down Node's own response, that one tells it, also of a handler that writes to
 * it.
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
 * The response, or a copy with what tells the visitor of a new session. Never the same one changed: a
 * handler may answer everybody with one response, and its next reader would get this one's session.
 */
function tellResponse(response: Response, exchange: Exchange): Response {
  if (exchange.headers().length === 0 || !isAnswer(response)) return response;
  try {
    const told = copyOf(response);
    tellHead(headOf(told), exchange);
    return told;
  } catch {
    // Its body has been read already: it is for the server to say what is wrong.
    return response;
  }
}

/**
 * A copy whose headers can be changed. Bun adds the type of a text, blob or file, and the range that was
 * asked for, only when it sends a response with that very body, which a clone has.
 */
function copyOf(response: Response): Response {
  if (!("Bun" in globalThis)) return new Response(response.body, response);
  const copy = response.clone() as Response;
  // Nobody reads the first one: what a stream gives is not to be buffered for it.
  response.body?.cancel().catch(() => undefined);
  return copy;
}

/** Not so the answer to a WebSocket's request, which is the server's own, and `Response.error()`. */
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
