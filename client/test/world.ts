import assert from "node:assert/strict";
import { bodyIds, headerIds, type SessionInfo } from "../src/protocol.ts";
import type { Fetch } from "../src/transport.ts";
import { type FakeBrowser, setCookie } from "./fake-browser.ts";
import { createRotatingService, type RotatingService, type ServiceResponse } from "./rotating-service.ts";

export const SITE = "http://site.test";
export const SERVICE = "http://service.test";
const MAX_TABS = 3;

/** A service and a site without a network. Each request and each response waits until the test lets it arrive. */
export interface World {
  readonly fetch: Fetch;
  readonly service: RotatingService;
  /** Delivers one request or response; returns false if none is waiting. */
  letOneArrive(choose: (bound: number) => number): boolean;
  /** Delivers requests, responses and storage events until the result is there, and returns it. */
  outcome<T>(result: Promise<T>, choose: (bound: number) => number): Promise<T>;
}

/** Returns a random number generator (xorshift) for integers below a bound. A seed always gives the same numbers. */
export function createRandom(seed: number): (bound: number) => number {
  let state = seed * 2654435761 + 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/** Describes a request for the history. */
function describe(input: Parameters<Fetch>[0], init: RequestInit | undefined): string {
  return input instanceof Request
    ? `${input.url} for ${input.headers.get("gkc-sessionId")}`
    : `${init?.method} ${String(input)}`;
}

/** Creates the service and the site of a browser. `history` gets a line for each response. */
export function openWorld({ cookies, deliver }: FakeBrowser, history: string[]): World {
  const service = createRotatingService();
  const waiting: (() => void)[] = [];

  /** Responds like a site with our middleware; `/sign-in?customer` signs the customer in. */
  function site(request: Request, cookie: string | undefined): Response {
    const sent = request.headers.get("gkc-sessionId");
    const id = sent ?? cookie;
    const customerId = new URL(request.url).search.slice(1);
    let info = id ? callSite("GET", `/sessions/${id}`) : callSite("PUT", "/sessions/new");
    if (customerId) info = signIn(info, customerId);
    if (info.sessionId === id) return new Response("page");
    return new Response("page", {
      headers: {
        "gkc-sessionId": info.sessionId,
        "gkc-replaces": sent?.slice(0, 24) ?? "none",
        "x-set-cookie": `sessionId=${info.sessionId}`,
      },
    });
  }

  function signIn({ sessionId, state }: SessionInfo, customerId: string): SessionInfo {
    const headers = { "gkc-customerId": customerId, "idempotency-key": `${sessionId} ${customerId}` };
    const rotate = state === "anonymous";
    try {
      return callSite("POST", `/sessions/${sessionId}`, headers, JSON.stringify({ rotate }));
    } catch {
      return callSite("PUT", "/sessions/new", headers);
    }
  }

  /** Calls the service as the site does. Throws for a refusal. */
  function callSite(method: string, path: string, headers: Record<string, string> = {}, body = ""): SessionInfo {
    const response = service.respond({ method, path, headers: new Headers(headers), body });
    if (response.status !== 200) throw new Error(String(response.status));
    return response.body as SessionInfo;
  }

  function callService(input: string | URL, init: RequestInit | undefined): Response {
    const { pathname: path } = new URL(input);
    const { method = "GET", headers, body } = init ?? {};
    return asResponse(service.respond({ method, path, headers: new Headers(headers), body: (body ?? "") as string }));
  }

  const doFetch: Fetch = (input, init) =>
    new Promise((resolve) => {
      const sentCookie = cookies.get("sessionId");
      // The server handles the request when it arrives; the response may arrive much later.
      const description = describe(input, init);
      waiting.push(() => {
        const response = input instanceof Request ? site(input, sentCookie) : callService(input, init);
        waiting.push(() => {
          const cookie = response.headers.get("x-set-cookie");
          history.push(`answered ${description}`);
          if (cookie) {
            // Storage events take milliseconds, less than a response of the site, so all are delivered first.
            for (let tab = 0; tab < MAX_TABS; tab++) while (deliver(tab));
            setCookie(cookies, cookie);
          }
          resolve(response);
        });
      });
    });

  function letOneArrive(choose: (bound: number) => number): boolean {
    const [next] = waiting.splice(waiting.length > 0 ? choose(waiting.length) : 0, 1);
    next?.();
    return next !== undefined;
  }

  return {
    fetch: doFetch,
    service,
    letOneArrive,
    async outcome(result, choose) {
      const state = { isOver: false };
      const end = result.finally(() => {
        state.isOver = true;
      });
      for (let rounds = 0; !state.isOver; rounds++) {
        assert.ok(rounds < 1000, `the call does not end:\n${history.join("\n")}`);
        if (!letOneArrive(choose)) {
          // A tab may wait for a lock that another tab has released in the storage.
          for (let tab = 0; tab < MAX_TABS; tab++) deliver(tab);
          await new Promise((resolve) => setTimeout(resolve));
        }
        await settle();
      }
      return await end;
    },
  };
}

function asResponse({ status, body }: ServiceResponse): Response {
  return new Response(body === undefined ? null : JSON.stringify(body), { status });
}

/** Returns the ids of a session that are set, for messages. */
export function shown(info: SessionInfo): string {
  const ids = [...headerIds, ...bodyIds].flatMap((name) => info[name] ?? []);
  return [info.sessionId, ...ids].join(" ");
}

/** Waits until all code has run that does not wait for a request. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
}

/** Makes timers fire immediately. */
export function withoutDelays(): Disposable {
  const real = globalThis.setTimeout;
  const immediate = (task: () => void) => real(task, 0);
  globalThis.setTimeout = immediate as typeof setTimeout;
  return {
    [Symbol.dispose]() {
      globalThis.setTimeout = real;
    },
  };
}
