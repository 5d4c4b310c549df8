const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Delays (ms) after the first failed attempt, the second, and so on. No attempt follows the last one. */
const RETRY_DELAYS_MS = [
  ...[5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE],
  ...[HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, DAY],
] as const;

/** Time (ms) after which a delivery that does not succeed has failed (contract.md#webhooks). */
export const RETRY_PERIOD_MS = 3 * DAY;

/** Longest time (ms) for which `Retry-After` postpones an attempt, and pauses an endpoint. */
const MAX_RETRY_AFTER_MS = DAY;

/**
 * A delay is shortened by up to this part of it, so that the retries of an outage spread. It is never prolonged, so that
 * the last attempt is within the three days.
 */
const JITTER = 0.1;

/** The attempts of a delivery so far. */
export interface Attempts {
  /** Number of attempts, including the one that has just failed. */
  readonly attempts: number;
  /** When the delivery was queued, Unix ms. */
  readonly queuedAt: number;
}

/**
 * Returns the time (Unix ms) of the next attempt of a delivery whose last attempt failed at `now`; `undefined` if the
 * delivery has failed. `retryAfterMs` is what `parseRetryAfter` returned, `random` a number from 0 to 1 (exclusive).
 */
export function nextAttemptAt(
  { attempts, queuedAt }: Attempts,
  now: number,
  { retryAfterMs = 0, random }: { readonly retryAfterMs?: number | undefined; readonly random: number },
): number | undefined {
  const delay = RETRY_DELAYS_MS[attempts - 1];
  if (delay === undefined || now - queuedAt >= RETRY_PERIOD_MS) return undefined;
  const spread = delay * (1 - JITTER * random);
  return now + Math.round(Math.max(spread, retryAfterMs));
}

/** Number of failures in a row, over all deliveries of an endpoint, after which the endpoint is paused. */
export const FAILURES_BEFORE_PAUSE = 5;
const FIRST_PAUSE_MS = 5 * SECOND;
const MAX_PAUSE_MS = MINUTE;

/**
 * Returns the pause (ms) of an endpoint with this number of failures in a row; 0 if it is not paused. After the pause
 * one delivery at a time is tried. So a dead receiver costs one attempt a minute, however many deliveries wait, and most
 * of them keep all of their attempts for the time after the outage.
 */
export function pauseMs(failuresInARow: number, random: number): number {
  const doubled = failuresInARow - FAILURES_BEFORE_PAUSE;
  if (doubled < 0) return 0;
  const pause = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(doubled, 10));
  return Math.round(pause * (1 - JITTER * random));
}

/**
 * Parses `Retry-After` (RFC 9110, section 10.2.3): seconds or a date. Returns the delay in ms, at least 0 and at most a
 * day; `undefined` if it is missing or malformed.
 */
export function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(text)) return Math.min(Number(text) * SECOND, MAX_RETRY_AFTER_MS);
  // `Date.parse` accepts many other texts, such as "1.5".
  if (!/^\s*[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, date - now), MAX_RETRY_AFTER_MS);
}
