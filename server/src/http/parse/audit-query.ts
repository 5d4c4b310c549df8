import type { AuditFilter, AuditPlace } from "../../services/audit-search.ts";
import { faultOfStoredId } from "../../session/caller-ids.ts";
import type { Fault } from "../../session/errors.ts";
import { handleIn } from "../../session/id.ts";
import { refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";
import { checkParameterNames, limitOf } from "./paging.ts";
import { parseTime } from "./time.ts";

/** The content of a request for the audit trail. */
export interface AuditQuery {
  readonly filter: AuditFilter;
  /** The sequence before which the page ends; `null` for the newest entries. */
  readonly before: number | null;
  readonly limit: number;
}

const names = ["actor", "action", "since", "until", "customerId", "session", "cursor", "limit"];

/**
 * Reads a request for the audit trail. `last` is the sequence of its newest entry, `hash` returns the keyed hash that
 * stands for an id. Refuses with `invalid-request`, which lists every fault.
 */
export function auditQueryOf(query: string, last: number, hash: (id: string) => string): AuditQuery {
  const parameters = parametersOf(query);
  const faults: Fault[] = [];
  checkParameterNames(parameters, names, faults);
  const fault = (name: string, detail: string) => faults.push({ in: "query", name, detail: `${name} ${detail}.` });
  const text = (name: string) => {
    const value = parameters.get(name);
    if (value === "") fault(name, "is empty: give it a value or leave it out");
    else if (value !== null && faultOfStoredId(value) !== undefined)
      fault(name, "is too long or has control characters");
    return value;
  };
  const time = (name: string) => {
    const value = parameters.get(name);
    const parsed = value === null ? null : parseTime(value);
    if (parsed === undefined) fault(name, "is not an ISO 8601 time with a zone");
    return parsed ?? null;
  };
  const [actor, action, customerId, session] = ["actor", "action", "customerId", "session"].map(text);
  const about = [customerId && hash(customerId), session && (handleIn(session) ?? hash(session))];
  const cursor = parameters.get("cursor") ?? "";
  // A cursor is the sequence number of an existing entry of the audit trail.
  if (cursor !== "" && !(/^[1-9]\d{0,14}$/.test(cursor) && Number(cursor) <= last)) {
    fault("cursor", "is not the next of another page");
  }
  const [since, until] = [time("since"), time("until")];
  const limit = limitOf(parameters, faults);
  refuseFaults(faults);
  return {
    filter: {
      actor: actor ?? null,
      action: action ?? null,
      since,
      until,
      about: about.filter((value) => !!value) as string[],
    },
    before: cursor === "" ? null : Number(cursor),
    limit,
  };
}

/** The content of a request to check the audit trail. */
export interface AuditCheckQuery {
  readonly from: AuditPlace | undefined;
  readonly expectedHash: string | undefined;
}

const HASH = /^[\da-f]{64}$/;

/** Reads a request to check the audit trail. Refuses with `invalid-request`. */
export function auditCheckQueryOf(query: string): AuditCheckQuery {
  const parameters = parametersOf(query);
  const faults: Fault[] = [];
  checkParameterNames(parameters, ["after", "expect"], faults);
  const expectedHash = parameters.get("expect") ?? undefined;
  if (expectedHash !== undefined && !HASH.test(expectedHash)) {
    const detail = "expect is not the hash of an entry: 64 hexadecimal digits, as a check of the trail returns it.";
    faults.push({ in: "query", name: "expect", detail });
  }
  const after = parameters.get("after");
  const [, sequence, hash = ""] = /^([1-9]\d{0,14})\.([\da-f]{64})$/.exec(after ?? "") ?? [];
  if (after !== null && sequence === undefined) {
    faults.push({ in: "query", name: "after", detail: "after is not the next of another part." });
  }
  refuseFaults(faults);
  return { from: sequence === undefined ? undefined : { sequence: Number(sequence), hash }, expectedHash };
}

/** Returns the value of `after` that continues a check. */
export function placeText({ sequence, hash }: AuditPlace): string {
  return `${sequence}.${hash}`;
}
