import type { Lifetimes } from "../../src/session/lifetime.ts";
import type { Identity } from "../../src/session/session.ts";

/** The knowledge about a session. */
export interface Known {
  readonly ids: Identity;
  readonly createdAt: number;
  /** Time of the last use that extends the idle time. */
  readonly usedAt: number;
  /** Whether the session has ended, or was seen to have expired. */
  readonly over: boolean;
  /** When the session was ended; `null` if it expires by itself. */
  readonly endedAt: number | null;
  /** Whether nothing of the session remains. */
  readonly erased: boolean;
  /** The rotations of the session. */
  readonly rotations: readonly Rotation[];
  /** The session's data as JSON text with sorted members. */
  readonly data: string;
}

/** A rotation, which retired an id. */
export interface Rotation {
  /** Unix ms. */
  readonly at: number;
  /** The customer of the session before the rotation. */
  readonly owner: string | null;
}

/** The knowledge about all sessions, by handle. Immutable: each explanation creates a new map. */
export type Model = ReadonlyMap<string, Known>;

/** Whether a session is live, according to contract.md#rules. */
export type Life = "live" | "over" | "either";

/** Returns whether the session can be used at `now`. */
export function lifeOf(known: Known, now: number, lifetimes: Lifetimes): Life {
  if (known.over) return "over";
  const { earliest, latest } = expiry(known, lifetimes);
  if (now >= latest) return "over";
  return now < earliest ? "live" : "either";
}

/** Returns the earliest and the latest time at which the session expires by itself. */
export function expiry(known: Known, lifetimes: Lifetimes): { earliest: number; latest: number } {
  const recognized = known.ids.customerId !== null || known.ids.agentId !== null;
  const { idle, total } = recognized ? lifetimes.recognized : lifetimes.anonymous;
  const end = known.createdAt + total;
  return {
    earliest: Math.min(end, known.usedAt + idle - idle / 10),
    latest: Math.min(end, known.usedAt + idle),
  };
}

/** The model at a point in time, with the server's settings; times in ms. */
export interface World {
  readonly model: Model;
  readonly now: number;
  readonly lifetimes: Lifetimes;
  /** Retention of ended and expired sessions. */
  readonly retention: number;
  /** How long a retired id is answered as the anonymous session that it was (contract.md#rule-9). */
  readonly rotationGrace: number;
}
