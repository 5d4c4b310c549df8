import { ProblemError } from "../problem-error.ts";
import type { SessionInfo } from "../protocol.ts";
import type { Transport } from "../transport.ts";
import type { Breaker } from "./breaker.ts";
import { withDeadline } from "./deadline.ts";
import type { Settings } from "./options.ts";

/** What came of looking for a session. */
export interface Located {
  /** `null` when there is none. */
  readonly info: SessionInfo | null;
  readonly isNew: boolean;
  /** Whether Antechamber has answered: without a session for certain, if there is none. */
  readonly isKnown: boolean;
}

/** Finds the session of a request. */
export interface Resolver {
  /** Resolves within the deadline, and never rejects. `ids`: the one to try first at the head. */
  resolve(ids: readonly string[]): Promise<Located>;
}

type Calls = Pick<Transport, "create" | "retrieve">;

const none: Located = { info: null, isNew: false, isKnown: true };
const unknown: Located = { info: null, isNew: false, isKnown: false };

export function createResolver(
  calls: Calls,
  { create, deadline, failed }: Pick<Settings, "create" | "deadline" | "failed">,
  breaker: Breaker,
): Resolver {
  async function locate(ids: readonly string[]): Promise<Located> {
    let fresh: SessionInfo | null = null;
    for (const id of ids) {
      const info = await onceMore(() => calls.retrieve(id));
      if (info.sessionId === id) return { info, isNew: false, isKnown: true };
      // An unknown id is answered with a new session (contract.md#rule-3), which costs nothing (contract.md#rule-8).
      fresh = info;
    }
    if (!create) return none;
    fresh ??= await onceMore(() => calls.create());
    return { info: fresh, isNew: true, isKnown: true };
  }

  return {
    async resolve(ids) {
      if (ids.length === 0 && !create) return none;
      if (!breaker.allows()) return unknown;
      try {
        const located = await withDeadline(deadline, locate(ids));
        breaker.succeeded();
        return located;
      } catch (error) {
        breaker.failed();
        failed(error, 0);
        return unknown;
      }
    },
  };
}

/** A connection that was kept may just have been closed by the other side. Both calls are safe. */
async function onceMore<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ProblemError && error.code === "network") return await call();
    throw error;
  }
}
