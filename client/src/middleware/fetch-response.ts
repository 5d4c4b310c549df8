import { beforeHead } from "./node-response.ts";
import { nodeResponseOf } from "./on-response-end.ts";
import type { TrackedRequest } from "./request-tracking.ts";
import { addSessionHeaders, type ResponseHead } from "./session-headers.ts";

/** The status of a response after which the connection speaks another protocol. */
export const SWITCHING_PROTOCOLS = 101;

/**
 * Returns a function that adds the session's headers to a response. If the server passes on Node's own response,
 * they are added to that one, which also works for a handler that writes to it.
 */
export function sessionHeaderAdder(
  tracked: TrackedRequest,
  environment: unknown,
): (response: Response) => Response {
  const outgoing = nodeResponseOf(environment);
  if (outgoing === null) return (response) => withSessionHeaders(response, tracked);
  beforeHead(outgoing, (head) => addSessionHeaders(head, tracked));
  return (response) => response;
}

/**
 * Returns the response, or a copy with the session's headers. Never changes the response itself: a handler may
 * return the same response to all visitors, and the next one would get this visitor's session.
 */
function withSessionHeaders(response: Response, tracked: TrackedRequest): Response {
  if (tracked.sessionHeaders().length === 0 || !acceptsHeaders(response)) return response;
  try {
    const copy = copyOf(response);
    addSessionHeaders(headOf(copy), tracked);
    return copy;
  } catch {
    // The body has already been read: the server reports this error.
    return response;
  }
}

/**
 * Returns a copy whose headers can be changed. Bun adds the type of a text, blob or file, and serves ranges, only
 * for a response that still has exactly that body. A clone has it.
 */
function copyOf(response: Response): Response {
  if (!("Bun" in globalThis)) return new Response(response.body, response);
  const copy = response.clone() as Response;
  // Otherwise Bun would buffer the stream for the original, which is never read.
  response.body?.cancel().catch(() => undefined);
  return copy;
}

/** Returns whether headers can be added: not to the server's own response to a WebSocket, nor to `Response.error()`. */
function acceptsHeaders({ status }: Response): boolean {
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
