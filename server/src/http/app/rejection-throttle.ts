import type { ApiResponse } from "../api-response.ts";

/** Returns a refusal at once while there are few, otherwise a moment later. Never rejects. */
export type RejectionThrottle = (refusal: ApiResponse) => ApiResponse | Promise<ApiResponse>;

/** The number of refusals in each step, and its duration in ms: a thousand refusals a second. */
const PER_STEP = 5;
const STEP_MS = 5;
/** No refusal waits for more steps than this, however many wait. */
const MAX_STEPS = 10;
/** The maximum number of waiting refusals, which take memory; further ones are sent at once. */
const MAX_WAITING = 1000;

/**
 * Delays the refusals of rate limits when there are more than a thousand a second, by at most 50 ms. A refusal costs
 * as much as a response, and a client that ignores it would repeat its requests at the full speed of its
 * connections, at the cost of other clients. Few refusals are sent at a time, because each is followed at once by
 * the next request.
 */
export function createRejectionThrottle(): RejectionThrottle {
  let stepStart = Number.NEGATIVE_INFINITY;
  let sent = 0;
  let waiting: (() => void)[] = [];
  let perStep = PER_STEP;

  function step(): void {
    // Never fewer than in the previous step: otherwise the last refusals would wait longer than `MAX_STEPS`.
    perStep = Math.max(perStep, Math.ceil(waiting.length / MAX_STEPS));
    const released = waiting.slice(0, perStep);
    waiting = waiting.slice(perStep);
    stepStart = performance.now();
    sent = released.length;
    if (waiting.length > 0) setTimeout(step, STEP_MS);
    else perStep = PER_STEP;
    for (const send of released) send();
  }

  return (refusal) => {
    const now = performance.now();
    if (waiting.length === 0 && now - stepStart >= STEP_MS) {
      stepStart = now;
      sent = 0;
    }
    if (sent < PER_STEP || waiting.length >= MAX_WAITING) {
      sent++;
      return refusal;
    }
    if (waiting.length === 0) setTimeout(step, STEP_MS - (now - stepStart));
    return new Promise((resolve) => {
      waiting.push(() => resolve(refusal));
    });
  };
}
