import { createWarnings } from "../middleware/warnings.ts";
import { checkStoreOptions } from "../transport-options.ts";
import { createFreshIds, type FreshIds } from "./fresh-ids.ts";
import { createHttpCalls } from "./http-calls.ts";
import { createSessionCalls, type SessionCalls } from "./session-calls.ts";

export interface StoreOptions {
  /** Address of Antechamber, such as `http://127.0.0.1:8080`, including its base path if there is one. */
  readonly url: string | URL;
  /** An API key with the role `service`, if Antechamber requires keys. The empty string means that there is no key. */
  readonly key?: string | undefined;
  /** Time limit of a call to Antechamber in milliseconds; 2,000 by default. */
  readonly timeout?: number | undefined;
}

/** The parts that the stores of all frameworks share. */
export interface StoreParts {
  readonly calls: SessionCalls;
  readonly ids: FreshIds;
  /** Warns once if the application's cookies, of `maxAge` milliseconds, outlive the sessions of Antechamber. */
  checkLifetime(maxAge: unknown): void;
  /** Warns, once a minute at most, that changes were not saved because no live session has this id any more. */
  warnUnsaved(sessionId: string): void;
}

const TIMEOUT_MS = 2000;
const WARNING_PAUSE_MS = 60_000;
const HANDLE_CHARACTERS = 24;

/** Creates the parts of a store. `call` is the name of the called function. Throws a `TypeError` if an option is invalid. */
export function createStoreParts(call: string, options: StoreOptions): StoreParts {
  checkStoreOptions(call, options);
  const { url, key = "", timeout = TIMEOUT_MS } = options;
  const calls = createSessionCalls(createHttpCalls({ url, key, timeout }));
  const consequence = "New visitors get a session that cannot be saved.";
  const warn = createWarnings({ url: String(url), hasKey: key !== "", deadline: timeout, consequence });
  let life = Infinity;
  const create = async () => {
    const { sessionId, createdAt, expiresAt } = await calls.create();
    life = Date.parse(expiresAt) - Date.parse(createdAt);
    return { id: sessionId, life };
  };
  let hasWarned = false;
  let warnsAgainAt = 0;
  return {
    calls,
    ids: createFreshIds(create, (error) => warn(error, 0)),
    checkLifetime(maxAge) {
      if (hasWarned || typeof maxAge !== "number" || maxAge <= life) return;
      hasWarned = true;
      console.warn(
        `antechamber: browsers keep the cookie for ${seconds(maxAge)} s (cookie.maxAge), but a session ends after ${seconds(life)} s ` +
          "without use. Set anonymousIdle and recognizedIdle of the service to the time of the cookie.",
      );
    },
    warnUnsaved(sessionId) {
      const now = performance.now();
      if (now < warnsAgainAt) return;
      warnsAgainAt = now + WARNING_PAUSE_MS;
      // The first characters of an id are its handle, which opens nothing.
      console.warn(
        `antechamber: changes of the session ${sessionId.slice(0, HANDLE_CHARACTERS)} were not saved: it has ended, or another request ` +
          "has given it a new id (regenerate), since this request loaded it.",
      );
    },
  };
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000);
}
