import { faultOfStoredId } from "../../session/caller-ids.ts";
import type { Fault } from "../../session/errors.ts";
import { idFields } from "../../session/fields.ts";
import { anySession, type SessionFilter } from "../../session/filter.ts";
import { handleIn, isHandle } from "../../session/id.ts";
import { faultOfLabel } from "../../session/traits.ts";
import { refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";
import { DEFAULT_LIMIT, limitFault, parseLimit } from "./paging.ts";
import { parseTime } from "./time.ts";

/** The content of a request for many sessions; `null` stands for a missing value. */
export interface SessionQuery {
  readonly filter: SessionFilter;
  /** Handle of a session that stays live although it matches. Only a body can have this member. */
  readonly except: string | null;
  /** The sort key of the session after which the page begins. */
  readonly cursor: string | null;
  readonly limit: number;
  /** Whether the caller says explicitly that all sessions are meant. Only a body can have this member. */
  readonly all: boolean;
  /** Whether the sessions are only counted, and none is ended. Only a body can have this member. */
  readonly dryRun: boolean;
}

const filterNames = [...idFields, "handle", "label", "state", "since", "until", "activeSince"] as const;
const queryNames: readonly string[] = [...filterNames, "live", "cursor", "limit"];
const bodyNames: readonly string[] = [...filterNames, "except", "all", "dryRun", "cursor"];

/**
 * The cursors of lists of sessions. A cursor consists of a session's sort key and a keyed hash of it, so that an
 * invented cursor is refused. Without the hash, the page would begin at some arbitrary session.
 */
export interface Cursors {
  write(handle: string): string;
  /** Returns the handle in a cursor; `undefined` if `write` has not made this text. */
  read(text: string): string | undefined;
}

/** Creates cursors with the keyed hash `hash`, which must be the same in all processes of a service. */
export function createCursors(hash: (text: string) => string): Cursors {
  const write = (handle: string) => `${handle}.${hash(`cursor ${handle}`)}`;
  return {
    write,
    read(text) {
      const handle = text.slice(0, text.indexOf("."));
      return isHandle(handle) && write(handle) === text ? handle : undefined;
    },
  };
}

/** Reads the query of a URL. Refuses with `invalid-request`, which lists every fault. */
export function queryOfUrl(query: string, cursors: Cursors): SessionQuery {
  const parameters = parametersOf(query);
  const faults: Fault[] = [];
  for (const name of new Set(parameters.keys())) {
    const isTwice = parameters.getAll(name).length > 1;
    if (isTwice) faults.push({ in: "query", name: name.slice(0, 32), detail: `${quotable(name)} is given twice.` });
  }
  const given = new Map(parameters);
  return parseQuery({ given, place: "query", names: queryNames, cursors, faults });
}

/** Reads the JSON object in a body. Refuses like `queryOfUrl`. */
export function queryOfBody(body: object, cursors: Cursors, faults: Fault[]): SessionQuery {
  const given = new Map(Object.entries(body));
  return parseQuery({ given, place: "body", names: bodyNames, cursors, faults });
}

interface QuerySource {
  readonly given: ReadonlyMap<string, unknown>;
  readonly place: Fault["in"];
  /** The names of the values that are allowed. */
  readonly names: readonly string[];
  readonly cursors: Cursors;
  readonly faults: Fault[];
}

/**
 * Parses the values. Refuses unknown names and empty values (also `null`), because a filter must not match more
 * sessions than its author intends. Only the cursor may be empty; it then stands for the first page.
 */
function parseQuery({ given, place, names, cursors, faults }: QuerySource): SessionQuery {
  const fault = (name: string, detail: string) => {
    faults.push({ in: place, name: name.slice(0, 32), detail: `${quotable(name)} ${detail}.` });
    return null;
  };
  for (const name of given.keys()) {
    if (!names.includes(name)) fault(name, `is not allowed here; use ${names.join(", ")}`);
  }
  const read = <T>(name: string, parse: (value: unknown) => T | undefined, detail: string) => {
    const value = names.includes(name) ? given.get(name) : undefined;
    if (value === undefined) return null;
    if (value !== "" && value !== null) return parse(value) ?? fault(name, detail);
    return name === "cursor" ? null : fault(name, "is empty: give it a value or leave it out");
  };
  const idFault = "is not an id of 1 to 256 characters without control characters";
  const id = (name: string) => read(name, parseId, idFault);
  const time = (name: string) => read(name, parseFilterTime, "is not an ISO 8601 time with a zone");
  const flagFault = "is neither true nor false";
  const flag = (name: string) => read(name, parseFlag, flagFault);

  const filter: SessionFilter = {
    ...anySession,
    ...Object.fromEntries(idFields.map((field) => [field, id(field)])),
    handle: read("handle", parseHandle, "is not a handle, the first 24 characters of a session id"),
    label: read("label", parseLabel, "is not a label of 1 to 128 characters without control characters"),
    state: read("state", parseState, "is neither anonymous nor recognized"),
    since: time("since"),
    until: time("until"),
    activeSince: time("activeSince"),
    live: read("live", parseFlagText, flagFault),
  };
  const except = read("except", parseException, "is neither a handle nor a session id");
  const parseCursor = (value: unknown) => (typeof value === "string" ? cursors.read(value) : undefined);
  const cursor = read("cursor", parseCursor, "is not the `next` of another page");
  const limit = read("limit", parseLimit, limitFault);
  const [all, dryRun] = [flag("all") ?? false, flag("dryRun") ?? false];
  refuseFaults(faults);
  return { filter, except, cursor, limit: limit ?? DEFAULT_LIMIT, all, dryRun };
}

/** Returns a parameter's name if it can be repeated safely in an error message, else "A parameter". */
function quotable(name: string): string {
  return /^[\w.-]{1,32}$/.test(name) ? name : "A parameter";
}

function parseId(value: unknown): string | undefined {
  return typeof value === "string" && faultOfStoredId(value) === undefined ? value : undefined;
}

function parseLabel(value: unknown): string | undefined {
  return typeof value === "string" && faultOfLabel(value) === undefined ? value : undefined;
}

function parseHandle(value: unknown): string | undefined {
  return typeof value === "string" && isHandle(value) ? value : undefined;
}

function parseException(value: unknown): string | undefined {
  return typeof value === "string" ? handleIn(value) : undefined;
}

/** Parses a time like `parseTime`, but also accepts Unix ms as text, because a query has no numbers. */
function parseFilterTime(value: unknown): number | undefined {
  const isNumber = typeof value === "string" && /^\d{1,16}$/.test(value);
  return parseTime(isNumber ? Number(value) : value);
}

/** Parses a flag of a body. Other values are refused, also texts, because `all` ends every session. */
function parseFlag(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function parseFlagText(value: unknown): boolean | undefined {
  if (value === "true") return true;
  return value === "false" ? false : undefined;
}

function parseState(value: unknown): SessionFilter["state"] | undefined {
  return value === "anonymous" || value === "recognized" ? value : undefined;
}
