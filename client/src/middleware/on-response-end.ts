import { onNodeResponseEnd, type WritableNodeResponse } from "./node-response.ts";

/** Called when a response has ended, possibly more than once. The listener must ignore all calls after the first. */
type ResponseEndListener = (status: number | null, isAborted: boolean) => void;

/**
 * Calls `onEnd` when the response to a request has ended, or when the visitor has closed the connection. For servers
 * that use `Request` and `Response`. Returns a function that takes the handler's response and returns the one to send.
 * If the server passes Node's own response to the handler, as @hono/node-server does, Node's response is observed
 * instead.
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

/** Returns Node's own response if the server passes it to the handler, which may write to it; otherwise `null`. */
export function nodeResponseOf(environment: unknown): WritableNodeResponse | null {
  const { outgoing } = (environment ?? {}) as { readonly outgoing?: WritableNodeResponse };
  return typeof outgoing?.once === "function" ? outgoing : null;
}

/**
 * Observes a response. A streamed body ends after its last chunk. Any other body counts as ended when the server gets
 * it, because observing it would remove its `Content-Length`. A body counts as streamed if its headers say so, if it is
 * an event stream, or if it has no content type.
 */
function onFetchResponseEnd(request: Request, onEnd: ResponseEndListener): (response: Response) => Response {
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
 * Returns whether, on Bun, a body without a content type is text or bytes, whose type Bun adds only later. The first
 * bytes of such a body are available immediately; those of a stream are not.
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
  // An error of the stream is ignored here, because the reader of the response gets it too.
  Promise.all([first, reader.cancel()]).catch(() => undefined);
  return isComplete;
}

/** Returns a stream with the same content. Calls `onEnd` after the last chunk or an error, or when it is cancelled. */
function observed(body: ReadableStream<Uint8Array>, onEnd: (isAborted: boolean) => void): ReadableStream<Uint8Array> {
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
