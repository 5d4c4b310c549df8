import { setTimeout as delay } from "node:timers/promises";

/** Tries `attempt` until it succeeds; after `timeout` ms rejects with the last reason why not. */
export async function eventually<T>(attempt: () => Promise<T>, timeout: number): Promise<T> {
  const end = performance.now() + timeout;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= end) {
        throw new Error(`not within ${timeout} ms: ${String(error)}`, { cause: error });
      }
      await delay(20);
    }
  }
}
