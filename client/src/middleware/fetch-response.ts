import { beforeHead } from "./node-response.ts";
import { nodeResponseOf } from "./on-response-end.ts";
import type { TrackedRequest } from "./request-tracking.ts";
import { addSessionHeaders, type ResponseHead } from "./session-headers.ts";

/** Status of a response after which the connection uses another protocol, such as WebSocket. */
export const SWITCHING_PROTOCOLS = 101;

/**
 * Returns a function that adds the session's headers to a response. If the server passes Node's own response to the
 * handler, the headers are added to Node's response, because a handler may also write to it directly.
 */
export function sessionHeaderAdder(tracked: TrackedRequest, environment: unknown): (response: Response) => Response {
  const outgoing = nodeResponseOf(environment);
  if (outgoing === null) return (response) => withSessionHeaders(response, tracked);
  beforeHead(outgoing, (head) => addSessionHeaders(head, tracked));
  return (response) => response;
}

/**
 * Returns a copy of the response with the session's headers, or the response itself if there are no headers to add.
 * Never changes the given response: a handler may return the same object to several visitors, who would then share a
 * session.
 */
export function withSessionHeaders(response: Response, tracked: TrackedRequest): Response {
  if (tracked.sessionHeaders().length === 0 || !acceptsHeaders(response)) return response;
  try {
    const copy = copyOf(response);
    addSessionHeaders(headOf(copy), tracked);
    return copy;
  } catch {
    // The body has already been read. The server reports this error when it sends the response.
    return response;
  }
}

/**
 * Returns a copy whose headers can be changed. On Bun it is a clone, which has exactly the same body: only then does
 * Bun add the content type of a text, blob or file, and serve ranges.
 */
function copyOf(response: Response): Response {
  if (!("Bun" in globalThis)) return new Response(response.body, response);
  const copy = response.clone() as Response;
  // Nobody reads the body of the original response. Without this call, Bun would buffer the stream for it.
  response.body?.cancel().catch(() => undefined);
  return copy;
}

/** Returns whether headers can be added: not to Bun's response to a WebSocket, nor to `Response.error()`. */
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
