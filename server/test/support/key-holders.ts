import type { Config } from "../../src/config/config.ts";
import { type Api, createApi } from "./api.ts";
import { keyFor, serve, type TestKey, type TestServer } from "./in-process.ts";

/** A holder of a key for each role, and two different customers. */
export const holders = {
  alice: keyFor({ role: "customer", customerId: "alice" }),
  bob: keyFor({ role: "customer", customerId: "bob" }, { name: "Bob's phone" }),
  page: keyFor({ role: "customer" }),
  agent: keyFor({ role: "agent", agentId: "7" }),
  service: keyFor({ role: "service" }, { name: "Shop server" }),
  reporter: keyFor({ role: "reporter" }),
  administrator: keyFor({ role: "administrator" }),
};
/** One of these holders. */
export type Holder = keyof typeof holders;

/** Starts a server of mode `key` that knows `keys`. */
export function serveKeys(keys: Readonly<Record<string, TestKey>>, config: Partial<Config> = {}): Promise<TestServer> {
  return serve({
    config: { auth: "key", ...config },
    keys: Object.values(keys).map(({ key }) => key),
  });
}

/** Returns the API as the holder of `key` calls it. */
export function apiOf({ url }: TestServer, { bearer }: TestKey): Api {
  return createApi(url, { authorization: bearer });
}
