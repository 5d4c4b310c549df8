import { faultOfStoredId } from "../../session/caller-ids.ts";
import type { Fault } from "../../session/errors.ts";
import { anySession, type SessionFilter } from "../../session/filter.ts";
import { isSortKey } from "../../session/id.ts";
import { idFields } from "../../session/session.ts";
import { refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";

/** What a request for many sessions says; what it does not say is `null`. */
export interface SessionQuery {
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

/**
 * Cursors of lists of sessions: the position of a session with a keyed hash, so that an invented cursor is refused
 * instead of silently starting somewhere.
 */
export interface Cursors {
  write(place: string): string;
  /** Returns the position in a cursor; `undefined` for a text that `write` did not make. */
  read(text: string): string | undefined;
}

/** Creates cursors with a keyed hash, which is the same in all processes of a service. */
export function createCursors(hash: (text: string) => string): Cursors {
  const write = (place: string) => `${place}.${hash(`cursor ${place}`)}`;
  return {
    write,
    read(text) {
      const place = text.slice(0, text.indexOf("."));
      return isSortKey(place) && write(place) === text ? place : undefined;
    },
  };
}

/** Reads a query. Refuses with `invalid-request`, which lists every fault. */
export function queryOfUrl(query: string, cursors: Cursors): SessionQuery {
  const parameters = parametersOf(query);
  const faults: Fault[] = [];
  for (const name of new Set(parameters.keys())) {
    const isTwice = parameters.getAll(name).length > 1;
    if (isTwice) faults.push({ in: "query", name, detail: `${named(name)} is there twice.` });
  }
  return parseQuery({
    given: new Map(parameters),
    place: "query",
    known: ofQuery,
    cursors,
    faults,
  });
}

/** Reads the object in a body. Refuses as `soughtByQuery` does. */
export function queryOfBody(body: object, cursors: Cursors, faults: Fault[]): SessionQuery {
  const given = new Map(Object.entries(body));
  return parseQuery({ given, place: "body", known: ofBody, cursors, faults });
}

/** The input of a filter. */
interface Source {
  readonly given: ReadonlyMap<string, unknown>;
  readonly place: Fault["in"];
  readonly known: readonly string[];
  readonly cursors: Cursors;
  readonly faults: Fault[];
}

/**
 * Refuses an unknown name and an empty value (also `null`): a filter must not match more sessions than its
 * author intends. Only a cursor may be empty, which means the first page.
 */
function parseQuery({ given, place, known, cursors, faults }: Source): SessionQuery {
  const fault = (name: string, detail: string) => {
    faults.push({ in: place, name: name.slice(0, 64), detail: `${named(name)} ${detail}.` });
    return null;
  };
  for (const name of given.keys()) {
    if (!known.includes(name)) fault(name, `is not known here; there are ${known.join(", ")}`);
  }
  const read = <T>(name: string, of: (found: unknown) => T | undefined, wanted: string) => {
    const found = known.includes(name) ? given.get(name) : undefined;
    if (found === undefined) return null;
    if (found !== "" && found !== null) return of(found) ?? fault(name, wanted);
    return name === "cursor" ? null : fault(name, "is empty: give it a value or leave it out");
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
  const cursor = read(
    "cursor",
    (found) => placeIn(found, cursors),
    "is not the `next` of another page",
  );
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

function placeIn(found: unknown, cursors: Cursors): string | undefined {
  return typeof found === "string" ? cursors.read(found) : undefined;
}

/** Reads `limit` from the query of another page; the query of a page of sessions has more faults to report. */
export function limitOf(parameters: URLSearchParams, faults: Fault[]): number {
  const limit = limitIn(parameters.get("limit") ?? String(DEFAULT_LIMIT));
  const detail = `limit is not a whole number of 1 to ${MAX_LIMIT}.`;
  if (limit === undefined) faults.push({ in: "query", name: "limit", detail });
  return limit ?? 0;
}

function limitIn(found: unknown): number | undefined {
  const limit = typeof found === "string" && /^\d{1,4}$/.test(found) ? Number(found) : 0;
  return limit >= 1 && limit <= MAX_LIMIT ? limit : undefined;
}
