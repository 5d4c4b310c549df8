import type { ApiResponse } from "../api-response.ts";

/** Returns a refusal at once while there are few refusals, otherwise after a short delay. The promise never rejects. */
export type RejectionThrottle = (refusal: ApiResponse) => ApiResponse | Promise<ApiResponse>;

/** In each step of `STEP_MS` milliseconds, `PER_STEP` refusals are sent. That is a thousand refusals a second. */
const PER_STEP = 5;
const STEP_MS = 5;
/** The maximum number of steps that a refusal waits. If too many refusals wait, each step sends more of them. */
const MAX_STEPS = 10;
/** The maximum number of refusals that wait, because they take memory. Further refusals are sent at once. */
const MAX_WAITING = 1000;

/**
 * Creates a throttle that delays the refusals of rate limits by at most 50 ms when there are more than a thousand a
 * second. A refusal costs the server no less than another response. Without the delay, a client that ignores refusals
 * would repeat its requests as fast as its connections allow, and slow down other clients. Few refusals are sent at a
 * time, because such a client sends its next request as soon as it has a refusal.
 */
export function createRejectionThrottle(): RejectionThrottle {
  let stepStart = Number.NEGATIVE_INFINITY;
  let sent = 0;
  let waiting: (() => void)[] = [];
  let perStep = PER_STEP;

  function step(): void {
    // A step never sends fewer refusals than the previous one. Otherwise the last refusals would wait longer than
    // `MAX_STEPS`.
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
