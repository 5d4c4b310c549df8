import type { SessionInfo, Timeline } from "@antechamber/client/protocol";
import type { Config } from "../../src/config/config.ts";
import { type Api, createApi, sessionOf } from "../support/api.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { exchange, type RawResponse } from "../support/raw-http.ts";

/** A server in mode `key`, with the key of role agent that the examples give to the proxy. */
export interface KeyedServer extends AsyncDisposable {
  /** Credential that the proxy sends. */
  readonly bearer: string;
  readonly api: Api;
  createSession(customerId: string): Promise<SessionInfo>;
  timeline(sessionId: string): Promise<Timeline>;
  /** Sends a sub-request with this request line and these headers. */
  ask(line: string, headers: readonly string[]): Promise<RawResponse>;
}

export async function serveKeyed(config: Partial<Config> = {}): Promise<KeyedServer> {
  const proxy = keyFor({ role: "agent" });
  const administrator = keyFor({ role: "administrator" });
  const server: TestServer = await serve({
    config: { auth: "key", ...config },
    keys: [proxy.key, administrator.key],
  });
  const api = createApi(server.url, { authorization: administrator.bearer });
  return {
    bearer: proxy.bearer,
    api,
    async createSession(customerId) {
      return sessionOf(await api.create({ headers: { "gkc-customerId": customerId } }));
    },
    async timeline(sessionId) {
      const answer = await api.call("GET", `/sessions/${sessionId}/requests`);
      if (answer.status !== 200) throw new Error(answer.text);
      return JSON.parse(answer.text) as Timeline;
    },
    ask: (line, headers) => exchange(server.port, `${[`${line} HTTP/1.1`, ...headers].join("\r\n")}\r\n\r\n`),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Returns the requests in a timeline. */
export function requestsOf(timeline: Timeline) {
  return timeline.records.filter((entry) => entry.type === "request");
}
