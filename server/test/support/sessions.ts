import type { Lifetimes } from "../../src/session/lifetime.ts";
import { type Identity, noIdentity } from "../../src/session/session.ts";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** A start time: 2026-11-23T10:00:00.000Z. */
export const START = 1_795_428_000_000;

/** Four different times, so that a test fails if the wrong one is used. */
export const lifetimes: Lifetimes = {
  anonymous: { idle: 30 * MINUTE, total: 24 * HOUR },
  recognized: { idle: 60 * MINUTE, total: 48 * HOUR },
};

/** Returns these ids, and `null` for the others. */
export function ids(given: Partial<Identity>): Identity {
  return { ...noIdentity, ...given };
}

/** Returns the generation in a session id (contract.md#session-ids). */
export function generationOf(sessionId: string): number {
  return Buffer.from(sessionId, "base64url")[18] ?? 0;
}
