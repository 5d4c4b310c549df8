import { hash } from "node:crypto";
import type { Role } from "../session/permissions.ts";

/*
 * The audit trail lists the operations of those who run the service, in the order of time. The hash of each entry
 * covers the hash of the previous entry, so nobody can change, remove or move an entry unnoticed. Only the removal of
 * the last entries does not show in the chain. Somebody who has noted the hash of one of these entries can prove that
 * removal.
 */

/** The caller of an operation, as known from the credential. */
export interface Actor {
  readonly role: Role;
  /**
   * Name of the credential: the id of an API key, for the command line the user of the operating system, such as
   * `anna (uid 1000)`, or `identity provider` for a sign-out there. `null` if no credential was required.
   */
  readonly credential: string | null;
  /** Name of the API key (`auditedKeyName`); `null` if it has none, or if the credential is not an API key. */
  readonly keyName: string | null;
  /** Id of the agent for whom the credential was made. */
  readonly agentId: string | null;
}

/** An operation that was done, tried or refused. */
export interface Act {
  /** Unix ms. */
  readonly at: number;
  readonly who: Actor;
  /** The operation, such as `customer.erase`. */
  readonly what: string;
  /** Origin of the call: the client's address, `unix socket`, `unknown`, or `command line`. */
  readonly from: string;
  /** After `begun`, a later entry has the final outcome, unless the service was stopped during the operation. */
  readonly outcome: "begun" | "done" | "refused" | "failed";
  /** Contains ids of sessions and customers only as keyed hashes, so that no erased id remains in the audit trail. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** An act as an entry of the audit trail. */
export interface AuditEntry extends Act {
  /** Position in the audit trail: 1, 2, 3 … without gaps. */
  readonly sequence: number;
  /** Hash of the previous entry; `NO_HASH` in the first entry. */
  readonly previous: string;
  /** SHA-256 of all other fields of the entry, including `previous`; hexadecimal. */
  readonly hash: string;
}

/** The value of `previous` in the first entry. */
export const NO_HASH = "0".repeat(64);

/** Creates the entry of `act` that follows the entry `last`, or the first entry if `last` is `undefined`. */
export function entryAfter(last: AuditEntry | undefined, act: Act): AuditEntry {
  const sequence = (last?.sequence ?? 0) + 1;
  const previous = last?.hash ?? NO_HASH;
  const { at, who, what, from, outcome, details } = act;
  const entry = { sequence, at, who, what, from, outcome, details, previous };
  return { ...entry, hash: hashOf(entry) };
}

/** A fault of an entry in an audit trail. */
export interface ChainFault {
  readonly sequence: number;
  /**
   * `out-of-order`: the sequence does not follow that of the previous entry, so entries are missing or were moved.
   * `not-linked`: `previous` is not the hash of the previous entry. `changed`: the entry does not match its own hash.
   */
  readonly fault: "out-of-order" | "changed" | "not-linked";
}

/** Returns the faults of consecutive entries. `last` is the entry before them; `undefined` if there is none. */
export function chainFaults(entries: readonly AuditEntry[], last: Link | undefined): ChainFault[] {
  let before = last;
  return entries.flatMap((entry) => {
    const fault = faultOf(entry, before);
    before = entry;
    return fault === undefined ? [] : [{ sequence: entry.sequence, fault }];
  });
}

/** The part of an entry by which the next one is linked to it. */
type Link = Pick<AuditEntry, "sequence" | "hash">;

function faultOf(entry: AuditEntry, last: Link | undefined): ChainFault["fault"] | undefined {
  if (entry.sequence !== (last?.sequence ?? 0) + 1) return "out-of-order";
  if (entry.previous !== (last?.hash ?? NO_HASH)) return "not-linked";
  return hashOf(entry) === entry.hash ? undefined : "changed";
}

/** Returns the hash of an entry. The members have a fixed order here, because another order would change the JSON. */
function hashOf(entry: Omit<AuditEntry, "hash">): string {
  const { sequence, at, who, what, from, outcome, details, previous } = entry;
  const sorted = Object.entries(details).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const { role, credential, keyName, agentId } = who;
  const content = [previous, sequence, at, role, credential, keyName, agentId, what, from, outcome, sorted];
  return hash("sha256", JSON.stringify(content), "hex");
}
