import assert from "node:assert/strict";
import { after, before } from "node:test";
import { type Api, createApi } from "./api.ts";
import { serve, type TestServer, type TestServerOptions } from "./in-process.ts";

/** The server of a file. Its members can be read only while tests run. */
export interface OneServer extends Pick<TestServer, "url" | "port"> {
  /** Calls of the server without a credential. */
  readonly api: Api;
}

/**
 * Starts one server for all tests of a file, and stops it after the last one: starting a server takes longer than most
 * tests. For tests that only use sessions of their own. A test that counts what is stored, stops the server or moves its
 * time calls `serve`.
 */
export function oneServer(options?: TestServerOptions): OneServer {
  let server: TestServer | undefined;
  before(async () => {
    server = await serve(options);
  });
  after(() => server?.[Symbol.asyncDispose]());
  const running = () => {
    assert.ok(server, "the server runs only while tests run");
    return server;
  };
  return {
    get url() {
      return running().url;
    },
    get port() {
      return running().port;
    },
    get api() {
      return createApi(running().url);
    },
  };
}
