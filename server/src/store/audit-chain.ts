import { hash } from "node:crypto";
import type { Role } from "../session/permissions.ts";

/*
 * The audit trail: what was done to the service by those who run it, entry after entry. Each entry has
 * the hash of the one before it in its own, so that nothing in between can be changed, taken out or put
 * elsewhere unnoticed. What was cut off at the end shows to whoever has noted a later hash.
 */

/** The actor, as far as a credential identifies it. */
export interface Actor {
  readonly role: Role;
  /**
   * The name of the credential: the id of a key, or on the command line the operating system's user, such
   * as `anna (uid 1000)`. `null` where none was asked for.
   */
  readonly credential: string | null;
  /** The agent for whom it was made. */
  readonly agentId: string | null;
}

/** An act that was done, tried, or refused. */
export interface Act {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly who: Actor;
  /** The operation, such as `customer.erase`. */
  readonly what: string;
  /** Where it came from: the client's address, `unix socket`, `unknown`, or `command line`. */
  readonly from: string;
  /** `begun`: another entry has its outcome, unless the service was stopped in the middle of it. */
  readonly outcome: "begun" | "done" | "refused" | "failed";
  /** Ids of sessions and of customers are in here as keyed hashes alone: what is erased stays erased. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** An act in its place in the trail. */
export interface AuditEntry extends Act {
  /** From 1, without gaps. */
  readonly sequence: number;
  /** The hash of the entry before; `NO_HASH` in the first. */
  readonly previous: string;
  /** SHA-256 over `previous` and everything else, hexadecimal. */
  readonly hash: string;
}

/** The previous hash of the first entry. */
export const NO_HASH = "0".repeat(64);

/** The entry of `act` that follows `last`; the first one after `undefined`. */
export function entryAfter(last: AuditEntry | undefined, act: Act): AuditEntry {
  const sequence = (last?.sequence ?? 0) + 1;
  const previous = last?.hash ?? NO_HASH;
  const { at, who, what, from, outcome, details } = act;
  const entry = { sequence, at, who, what, from, outcome, details, previous };
  return { ...entry, hash: hashOf(entry) };
}

/** A fault of an entry of a trail. */
export interface ChainFault {
  readonly sequence: number;
  /** Entries are missing before it or in another order, it is not what was written, or it follows another one. */
  readonly fault: "out-of-order" | "changed" | "not-linked";
}

/** The faults of `entries`, which follow `last`: `undefined` before the first of all. */
export function chainFaults(
  entries: readonly AuditEntry[],
  last: AuditEntry | undefined,
): ChainFault[] {
  let before = last;
  return entries.flatMap((entry) => {
    const fault = faultOf(entry, before);
    before = entry;
    return fault === undefined ? [] : [{ sequence: entry.sequence, fault }];
  });
}

function faultOf(entry: AuditEntry, last: AuditEntry | undefined): ChainFault["fault"] | undefined {
  if (entry.sequence !== (last?.sequence ?? 0) + 1) return "out-of-order";
  if (entry.previous !== (last?.hash ?? NO_HASH)) return "not-linked";
  return hashOf(entry) === entry.hash ? undefined : "changed";
}

/** The order of members counts in JSON, so each has its place here. */
function hashOf(entry: Omit<AuditEntry, "hash">): string {
  const { sequence, at, who, what, from, outcome, details, previous } = entry;
  const sorted = Object.entries(details).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const { role, credential, agentId } = who;
  const content = [previous, sequence, at, role, credential, agentId, what, from, outcome, sorted];
  return hash("sha256", JSON.stringify(content), "hex");
}
