import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";

/**
 * How long (ms) tests wait for a condition. It only ends a wait that is hopeless, so it is far longer than a busy machine
 * needs.
 */
const TIMEOUT_MS = 30_000;

/** Waits until `condition` holds, checking every 20 ms. Fails after `timeoutMs`, or if `condition` throws. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `not within ${timeoutMs} ms: ${what}`);
    await delay(20);
  }
}

/** Repeats `attempt` until it succeeds, and returns its result. Fails after `timeoutMs` with its last error. */
export async function eventually<T>(attempt: () => Promise<T>, timeoutMs = TIMEOUT_MS): Promise<T> {
  let result: { readonly value: T } | undefined;
  let cause: unknown;
  const tried = async () => {
    try {
      result = { value: await attempt() };
    } catch (error) {
      cause = error;
    }
    return result !== undefined;
  };
  await until("it succeeds", tried, timeoutMs).catch(() => undefined);
  if (result === undefined) {
    throw new Error(`not within ${timeoutMs} ms: ${String(cause)}`, { cause });
  }
  return result.value;
}
