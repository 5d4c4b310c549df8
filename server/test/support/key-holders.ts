import type { Config } from "../../src/config/config.ts";
import { type Api, createApi } from "./api.ts";
import { keyFor, serve, type TestKey, type TestServer } from "./in-process.ts";

/** Somebody of each role with a key, and two customers of whom one is not the other. */
export const holders = {
  alice: keyFor({ role: "customer", customerId: "alice" }),
  bob: keyFor({ role: "customer", customerId: "bob" }),
  page: keyFor({ role: "customer" }),
  agent: keyFor({ role: "agent", agentId: "7" }),
  reporter: keyFor({ role: "reporter" }),
  administrator: keyFor({ role: "administrator" }),
};
/** One of them. */
export type Holder = keyof typeof holders;

/** A server of the mode `key` that knows `keys`. */
export function serveKeys(
  keys: Readonly<Record<string, TestKey>>,
  config: Partial<Config> = {},
): Promise<TestServer> {
  return serve({
    config: { auth: "key", ...config },
    keys: Object.values(keys).map(({ key }) => key),
  });
}

/** The server as the holder of `key` calls it. */
export function apiOf({ url }: TestServer, { bearer }: TestKey): Api {
  return createApi(url, { authorization: bearer });
}
