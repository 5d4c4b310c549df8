import { BodyError, CachedResponse, type HttpRequest, type HttpResponse } from "../../src/http-types.ts";
import type { Random } from "./random.ts";
import { type Action, actions, LITTLE } from "./streams.ts";

/** The content of a request, as a response returns it: a line of JSON. */
export interface Echo {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly fields: Readonly<Record<string, string>>;
  /** The body, one character per byte; `null` if it was not read or is too long; "broken off" if it is incomplete. */
  readonly body: string | null | { readonly problem: "broken off" };
}

/** The fields that an echo returns. */
export const echoedFields = [
  "x-id",
  "x-empty",
  "x-spaced",
  "x-twice",
  "x-bytes",
  "x-much",
  "x-absent",
  "cookie",
  "accept",
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
];

export const LONG_BODY = 200 * 1024;
const MAX_BODY = 1024 * 1024;

/** Bodies of prepared responses that are sent repeatedly. */
export const cachedBodies = ["cached\n", "cached long\n".repeat(2_000), ""];
const cachedResponses = cachedBodies.map(
  (text) =>
    new CachedResponse(() => ({
      headers: { "x-kind": "cached" },
      contentLocation: "/cached",
      body: {
        maxLength: text.length,
        write: (bytes, start) => start + bytes.write(text, start, "latin1"),
      },
    })),
);

/** Responds to requests as their field `X-Do` says, and reports impossible states. */
export function createHandler(random: Random, report: (problem: string) => void) {
  let underWay = 0;

  async function turns(): Promise<void> {
    for (let i = random.between(1, 4); i > 0; i--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Waits for some turns of the event loop, and then checks that the request has not changed. */
  async function wait(request: HttpRequest): Promise<void> {
    const before = JSON.stringify(echoOf(request, null));
    await turns();
    const after = JSON.stringify(echoOf(request, null));
    if (before !== after) report(`a request changed from ${before} to ${after}`);
  }

  async function readBody(request: HttpRequest, limit: number): Promise<Echo["body"]> {
    try {
      const body = await request.body(limit);
      return body === undefined ? null : Buffer.from(body).toString("latin1");
    } catch (error) {
      if (!(error instanceof BodyError)) report(`a body failed: ${String(error)}`);
      return { problem: "broken off" };
    }
  }

  async function respondLater(request: HttpRequest, action: Action): Promise<HttpResponse> {
    if (action === "later" || action === "read-late") await wait(request);
    let body: Echo["body"] = null;
    if (action.startsWith("read")) {
      body = await readBody(request, action === "read-little" ? LITTLE : MAX_BODY);
    }
    return { status: 200, headers: {}, body: JSON.stringify(echoOf(request, body)) };
  }

  function respond(request: HttpRequest, action: Action): HttpResponse | Promise<HttpResponse> {
    const echo = echoOf(request, null);
    switch (action) {
      case "now":
        return { status: 200, headers: {}, body: JSON.stringify(echo) };
      case "close":
        return { status: 200, headers: { connection: "close" }, body: JSON.stringify(echo) };
      case "empty":
        return { status: 204, headers: { "x-id": String(echo.fields["x-id"]) }, body: null };
      case "long":
        return { status: 200, headers: {}, body: new Uint8Array(LONG_BODY).fill(0x2e) };
      case "stream":
        return { status: 200, headers: {}, body: streamOf(JSON.stringify(echo)) };
      case "cached":
        return random.pick(cachedResponses);
      default:
        return respondLater(request, action);
    }
  }

  function streamOf(text: string): ReadableStream<Uint8Array<ArrayBuffer>> {
    const bytes = new TextEncoder().encode(text);
    const piece = random.between(20, 400);
    let at = 0;
    return new ReadableStream({
      async pull(controller) {
        if (random.next() < 0.3) await turns();
        controller.enqueue(bytes.slice(at, at + piece));
        at += piece;
        if (at >= bytes.length) controller.close();
      },
    });
  }

  return {
    /** The number of requests without a response yet. */
    get underWay() {
      return underWay;
    },
    handle(request: HttpRequest): HttpResponse | Promise<HttpResponse> {
      const action = actions.find((name) => name === request.header("x-do")) ?? "now";
      const response = respond(request, action);
      if (!(response instanceof Promise)) return response;
      underWay++;
      return response.finally(() => void underWay--);
    },
  };
}

function echoOf(request: HttpRequest, body: Echo["body"]): Echo {
  const fields: Record<string, string> = {};
  for (const name of echoedFields) {
    const value = request.header(name);
    if (value !== null) fields[name] = value;
  }
  const { method, path, query } = request;
  return { method, path, query, fields, body };
}
