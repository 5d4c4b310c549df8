import { faultOfStoredId } from "../session/caller-ids.ts";
import type { Fault } from "../session/errors.ts";
import { anySession, type SessionFilter } from "../session/filter.ts";
import { isPlace } from "../session/id.ts";
import { idFields } from "../session/session.ts";
import { refuseFaults } from "./bodies.ts";

/** What a request for many sessions says; what it does not say is `null`. */
export interface Sought {
  readonly filter: SessionFilter;
  /** Where to go on. */
  readonly cursor: string | null;
  readonly limit: number;
  /** These of a body alone. */
  readonly all: boolean;
  readonly dryRun: boolean;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
/** The last moment that a JavaScript date can hold. */
const MAX_TIME = 8.64e15;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

const ofFilter = [...idFields, "state", "since", "until"] as const;
const ofQuery: readonly string[] = [...ofFilter, "live", "cursor", "limit"];
const ofBody: readonly string[] = [...ofFilter, "all", "dryRun", "cursor"];

/** Reads a query. Refuses with `invalid-request`, which lists every fault. */
export function soughtByQuery(query: string): Sought {
  const parameters = new URLSearchParams(query);
  const faults: Fault[] = [];
  for (const name of new Set(parameters.keys())) {
    const isTwice = parameters.getAll(name).length > 1;
    if (isTwice) faults.push({ in: "query", name, detail: `${named(name)} is there twice.` });
  }
  return sought(new Map(parameters), "query", ofQuery, faults);
}

/** Reads the object in a body. Refuses as `soughtByQuery` does. */
export function soughtByBody(body: object, faults: Fault[]): Sought {
  return sought(new Map(Object.entries(body)), "body", ofBody, faults);
}

/**
 * A name that nobody knows is refused: a filter that was to be narrower must not hit more sessions than
 * its author thinks.
 */
function sought(
  given: ReadonlyMap<string, unknown>,
  place: Fault["in"],
  known: readonly string[],
  faults: Fault[],
): Sought {
  const fault = (name: string, detail: string) => {
    faults.push({ in: place, name: name.slice(0, 64), detail: `${named(name)} ${detail}.` });
    return null;
  };
  for (const name of given.keys()) {
    if (!known.includes(name)) fault(name, `is not known here; there are ${known.join(", ")}`);
  }
  const value = (name: string) => {
    const found = known.includes(name) ? given.get(name) : undefined;
    return found === undefined || found === "" ? null : found;
  };
  const read = <T>(name: string, of: (found: unknown) => T | undefined, wanted: string) => {
    const found = value(name);
    return found === null ? null : (of(found) ?? fault(name, wanted));
  };
  const id = (name: string) => read(name, idIn, "is no id: up to 256 characters, without controls");
  const time = (name: string) => read(name, timeIn, "is no ISO 8601 time with a zone");
  const flag = (name: string) => read(name, flagIn, "is neither true nor false");

  const filter: SessionFilter = {
    ...anySession,
    ...Object.fromEntries(idFields.map((field) => [field, id(field)])),
    state: read("state", stateIn, "is neither anonymous nor recognized"),
    since: time("since"),
    until: time("until"),
    live: flag("live"),
  };
  const cursor = read("cursor", placeIn, "is not the next of another page");
  const limit = read("limit", limitIn, `is not a whole number of 1 to ${MAX_LIMIT}`);
  const [all, dryRun] = [flag("all") ?? false, flag("dryRun") ?? false];
  refuseFaults(faults);
  return { filter, cursor, limit: limit ?? DEFAULT_LIMIT, all, dryRun };
}

/** A name from outside, as far as it can be repeated in a sentence. */
function named(name: string): string {
  return /^[\w.-]{1,64}$/.test(name) ? name : "A parameter";
}

function idIn(found: unknown): string | undefined {
  return typeof found === "string" && faultOfStoredId(found) === undefined ? found : undefined;
}

function timeIn(found: unknown): number | undefined {
  const text = typeof found === "string" ? found : "";
  const time = /^\d{1,16}$/.test(text)
    ? Number(text)
    : ISO_TIME.test(text)
      ? Date.parse(text)
      : found;
  return typeof time === "number" && time >= 0 && time <= MAX_TIME ? Math.trunc(time) : undefined;
}

function flagIn(found: unknown): boolean | undefined {
  if (found === true || found === "true") return true;
  return found === false || found === "false" ? false : undefined;
}

function stateIn(found: unknown): SessionFilter["state"] | undefined {
  return found === "anonymous" || found === "recognized" ? found : undefined;
}

function placeIn(found: unknown): string | undefined {
  return typeof found === "string" && isPlace(found) ? found : undefined;
}

function limitIn(found: unknown): number | undefined {
  const limit = typeof found === "string" && /^\d{1,4}$/.test(found) ? Number(found) : 0;
  return limit >= 1 && limit <= MAX_LIMIT ? limit : undefined;
}
