import { type WritableNodeResponse, whenOver } from "./node-response.ts";

/** Told once or more often that an answer is over; the first time counts. */
type Over = (status: number | null, isAborted: boolean) => void;

/**
 * Watches the answer to a request of a fetch-style server: `over` is called when it has ended or its
 * visitor has gone. Gives a function that takes the response and answers with the one to send.
 *
 * Where the server hands down Node's own response, as @hono/node-server does, that one is watched.
 */
export function watchAnswer(
  request: Request,
  environment: unknown,
  over: Over,
): (response: Response) => Response {
  const outgoing = nodeResponseOf(environment);
  if (outgoing !== null) {
    whenOver(outgoing, over);
    return (response) => response;
  }
  return watchResponse(request, over);
}

/** Node's own response, if the server passes it on; handlers may write to it. */
export function nodeResponseOf(environment: unknown): WritableNodeResponse | null {
  const { outgoing } = (environment ?? {}) as { readonly outgoing?: WritableNodeResponse };
  return typeof outgoing?.once === "function" ? outgoing : null;
}

/**
 * A streamed body is watched to its end. A body that is there as a whole is over when it is handed
 * to the server: watching it would take its length from it. The two cannot be told apart for
 * certain; streamed are those that say so, event streams, and those without any type.
 */
function watchResponse(request: Request, over: Over): (response: Response) => Response {
  let status: number | null = null;
  request.signal.addEventListener("abort", () => over(status, true), { once: true });
  return (response) => {
    status = response.status;
    if (!isStreamed(response) || response.body === null) {
      over(status, request.signal.aborted);
      return response;
    }
    const body = watched(response.body, (isAborted) => over(status, isAborted));
    return new Response(body, response);
  };
}

function isStreamed(response: Response): boolean {
  const { headers } = response;
  if (headers.has("content-length")) return false;
  const type = headers.get("content-type");
  if (type === null) return !isWholeOnBun(response);
  return type.startsWith("text/event-stream") || headers.has("transfer-encoding");
}

/**
 * Whether a body without a type is a text or bytes on Bun, which adds the type only when it sends exactly that
 * body. Their first bytes are available at once, unlike those of a stream.
 */
function isWholeOnBun(response: Response): boolean {
  const { Bun: bun } = globalThis as {
    Bun?: { readonly peek: { status(promise: Promise<unknown>): string } };
  };
  if (bun === undefined || response.bodyUsed) return false;
  const reader = response.clone().body?.getReader();
  if (reader === undefined) return true;
  const first = reader.read();
  const isWhole = bun.peek.status(first) === "fulfilled";
  // A failing stream is reported to the reader of the response.
  Promise.all([first, reader.cancel()]).catch(() => undefined);
  return isWhole;
}

function watched(
  body: ReadableStream<Uint8Array>,
  ended: (isAborted: boolean) => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        controller.close();
        ended(false);
      } catch (error) {
        controller.error(error);
        ended(true);
      }
    },
    async cancel(reason) {
      ended(true);
      await reader.cancel(reason);
    },
  });
}
