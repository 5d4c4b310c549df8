import assert from "node:assert/strict";
import type { RequestEntry } from "@antechamber/client/protocol";
import type { Config } from "../../src/config/config.ts";
import type { Api } from "../support/api.ts";
import type { TestServer } from "../support/in-process.ts";
import { exchange, type RawResponse } from "../support/raw-http.ts";
import { wholeTimeline } from "../support/records.ts";

/** Settings of a server whose sub-requests may have ids everywhere, and whose records keep a query parameter. */
export const forwardAuthConfig: Partial<Config> = {
  recordQueryKeys: ["page"],
  accessLog: "off",
  forwardAuthSources: ["query", "header", "cookie"],
};

/** Returns a proxy's request with these header lines as text, in which each character is one byte. */
export const requestText = (lines: readonly string[], target = "/forward-auth", method = "GET") =>
  `${[`${method} ${target} HTTP/1.1`, "Host: localhost", ...lines].join("\r\n")}\r\n\r\n`;

/** Returns a header whose value has this many bytes. */
export const bulk = (bytes: number) => `X-Bulk: ${"x".repeat(bytes)}`;

/** Sends a proxy's request to /forward-auth and returns the response. */
export type Ask = (
  lines: readonly string[],
  options?: { readonly target?: string; readonly method?: string; readonly to?: Pick<TestServer, "port"> },
) => Promise<RawResponse>;

/** Returns a function that sends requests, by default to this server. */
export function createAsk(server: Pick<TestServer, "port">): Ask {
  return (lines, { target = "/forward-auth", method = "GET", to = server } = {}) =>
    exchange(to.port, requestText(lines, target, method), { head: method === "HEAD" });
}

export const identityHeaders = ["gkc-sessionid", "gkc-customerid", "gkc-agentid", "gkc-visitid", "gkc-globalvisitid"];

/** Asserts that a response is a 200 with every identity header, and returns their values. */
export function identityOf(answer: RawResponse): string[] {
  assert.equal(answer.status, 200, answer.body);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  return identityHeaders.map((name) => {
    const value = answer.headers.get(name);
    assert.ok(value !== undefined, `${name} is missing`);
    return value;
  });
}

/** Returns the cookie that a response sets. */
export const cookieOf = (answer: RawResponse) => answer.headers.get("set-cookie");

/** Returns the requests that were recorded in a session. */
export async function requestsIn(id: string, calls: Api): Promise<RequestEntry[]> {
  const entries = await wholeTimeline(calls, id);
  return entries.filter((entry) => entry.type === "request");
}
