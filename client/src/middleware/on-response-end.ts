import { onNodeResponseEnd, type WritableNodeResponse } from "./node-response.ts";

/** Called once or more often when a response has ended. Only the first call counts. */
type ResponseEndListener = (status: number | null, isAborted: boolean) => void;

/**
 * Calls `onEnd` when the response to a request of a fetch-style server has ended, or when its visitor has left.
 * Returns a function that takes the response and returns the one to send.
 *
 * If the server passes on Node's own response, as @hono/node-server does, it observes that one.
 */
export function onResponseEnd(
  request: Request,
  environment: unknown,
  onEnd: ResponseEndListener,
): (response: Response) => Response {
  const outgoing = nodeResponseOf(environment);
  if (outgoing !== null) {
    onNodeResponseEnd(outgoing, onEnd);
    return (response) => response;
  }
  return onFetchResponseEnd(request, onEnd);
}

/** Returns Node's own response if the server passes it on; handlers may write to it. */
export function nodeResponseOf(environment: unknown): WritableNodeResponse | null {
  const { outgoing } = (environment ?? {}) as { readonly outgoing?: WritableNodeResponse };
  return typeof outgoing?.once === "function" ? outgoing : null;
}

/**
 * A streamed body ends with its last chunk. Any other body counts as ended when the server gets it: observing it
 * would remove its `Content-Length`. The two cannot be distinguished with certainty. A body counts as streamed if
 * its headers say so, if it is an event stream, or if it has no type.
 */
function onFetchResponseEnd(
  request: Request,
  onEnd: ResponseEndListener,
): (response: Response) => Response {
  let status: number | null = null;
  request.signal.addEventListener("abort", () => onEnd(status, true), { once: true });
  return (response) => {
    status = response.status;
    if (!isStreamed(response) || response.body === null) {
      onEnd(status, request.signal.aborted);
      return response;
    }
    const body = observed(response.body, (isAborted) => onEnd(status, isAborted));
    return new Response(body, response);
  };
}

function isStreamed(response: Response): boolean {
  const { headers } = response;
  if (headers.has("content-length")) return false;
  const type = headers.get("content-type");
  if (type === null) return !isCompleteOnBun(response);
  return type.startsWith("text/event-stream") || headers.has("transfer-encoding");
}

/**
 * Returns whether a body without a type is a text or bytes on Bun, which adds the type later, and only if it sends
 * exactly that body. Unlike a stream's, the first bytes of such a body are available immediately.
 */
function isCompleteOnBun(response: Response): boolean {
  const { Bun: bun } = globalThis as {
    Bun?: { readonly peek: { status(promise: Promise<unknown>): string } };
  };
  if (bun === undefined || response.bodyUsed) return false;
  const reader = response.clone().body?.getReader();
  if (reader === undefined) return true;
  const first = reader.read();
  const isComplete = bun.peek.status(first) === "fulfilled";
  // An error of the stream is reported to the reader of the response.
  Promise.all([first, reader.cancel()]).catch(() => undefined);
  return isComplete;
}

/** Returns the same body, and calls `onEnd` after its last chunk, its failure or its cancellation. */
function observed(
  body: ReadableStream<Uint8Array>,
  onEnd: (isAborted: boolean) => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        controller.close();
        onEnd(false);
      } catch (error) {
        controller.error(error);
        onEnd(true);
      }
    },
    async cancel(reason) {
      onEnd(true);
      await reader.cancel(reason);
    },
  });
}
