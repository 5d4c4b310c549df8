import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { shownSettings } from "../../src/config/shown.ts";
import { machineTime } from "../../src/runtime/clock.ts";
import { openStore } from "../../src/runtime/open-store.ts";
import { start } from "../../src/runtime/start.ts";
import type { ApiKey } from "../../src/store/ports/credentials.ts";
import { assertNoSecrets } from "./log-secrets.ts";
import { SECOND } from "./sessions.ts";
import { unheard } from "./store-events.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export { keyFor, type TestKey } from "./test-keys.ts";

/** A real server in the test's own process, on the runtime that runs the test. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** Log so far, one JSON object a line. */
  log(): string;
  /** Advances the clocks. With `frozen`, the server's clocks stand still otherwise. */
  pass(milliseconds: number): void;
  /** Moves only the wall clock, forward or back. */
  step(milliseconds: number): void;
  /** Returns the server's wall clock, in Unix ms. */
  now(): number;
  /** Stops the server. Its data stay until the end of the block. */
  stop(): Promise<void>;
  /** Stops the server and starts it on the same data with a new URL. `meanwhile` runs in between. */
  restart(meanwhile?: () => void): Promise<void>;
}

export interface TestServerOptions {
  readonly config?: Partial<Config>;
  /** True if time passes only by `pass`. By default time also passes by itself. */
  readonly frozen?: boolean;
  /** API keys that exist when the server starts. */
  readonly keys?: readonly ApiKey[];
}

/** Starts a server on a free port; `await using` stops it and removes its data. */
export async function serve(options: TestServerOptions = {}): Promise<TestServer> {
  const directory = temporaryDirectory();
  const config: Config = { ...usual, dataDir: directory.path, ...options.config };
  const time = createTestTime(options.frozen ?? false);
  let log = "";
  const logTo = {
    write(line: string) {
      log += line;
    },
  };
  const run = () => start(config, { time, logTo, settings: shownSettings(defaults) });
  let running = await Promise.resolve()
    .then(() => addKeys(config, options.keys ?? []))
    .then(run)
    .catch((error: unknown) => {
      directory.remove();
      throw error;
    });
  return {
    get url() {
      return running.url;
    },
    get port() {
      return Number(new URL(running.url).port);
    },
    dataDir: directory.path,
    log: () => log,
    pass: time.pass,
    step: time.step,
    now: time.wall,
    stop: () => running.close(),
    async restart(meanwhile) {
      await running.close();
      meanwhile?.();
      running = await run();
    },
    async [Symbol.asyncDispose]() {
      await running.close();
      directory.remove();
      assertNoSecrets(log);
    },
  };
}

/** Settings that turn off all rate limits. */
export const unlimited = { creates: undefined, misses: undefined, requests: undefined };

const defaults = loadConfig({ flags: {}, env: {}, cwd: "" });

/** The default settings, except those with which a test would wait, be limited or miss a log line. */
const usual: Config = {
  ...defaults.config,
  port: 0,
  perAddress: unlimited,
  perCredential: unlimited,
  console: false,
  cacheSessions: 1000,
  storeTimeout: 30 * SECOND,
  redisTimeout: 30 * SECOND,
  // A server waits a moment for clients that still read their responses, if it may wait at all.
  shutdownTimeout: 0,
  logLevel: "trace",
  accessLog: "all",
};

function createTestTime(frozen: boolean) {
  const startedAt = Date.now();
  let passed = 0;
  let stepped = 0;
  const elapsed = () => (frozen ? 0 : Math.floor(performance.now()));
  const origin = elapsed();
  return {
    wall: () => startedAt + (elapsed() - origin) + passed + stepped,
    monotonic: () => elapsed() + passed,
    pass: (milliseconds: number) => {
      passed += milliseconds;
    },
    step: (milliseconds: number) => {
      stepped += milliseconds;
    },
  };
}

async function addKeys(config: Config, keys: readonly ApiKey[]): Promise<void> {
  if (keys.length === 0) return;
  // The limit is raised, because even a server that refuses every change must have its keys.
  const writable = { ...config, maxPendingWrites: keys.length };
  const store = await openStore(writable, machineTime, unheard);
  try {
    for (const key of keys) await store.addApiKey(key);
  } finally {
    await store.close();
  }
}
