import type { HttpRequest } from "@antechamber/http1";
import { SESSION_ID_CHARACTERS } from "../../session/id.ts";
import { refuseFaults } from "./bodies.ts";
import { cookieValues } from "./cookies.ts";

/** A place in a browser's request where a session id may be. */
export type SessionIdSource = "header" | "cookie" | "query";

/** The maximum number of different ids from one source that are looked up. */
const MAX_LOOKUPS = 4;

/**
 * The texts in a request that have the length of a session id, in the order in which they are tried. The caller reports
 * each id that it looks up with `countLookup`. After `MAX_LOOKUPS` lookups from one source, `next` continues with the
 * next source. Ids that this server did not issue are not looked up, so they do not use up the limit.
 */
export class SessionIds {
  readonly #bySource: readonly (readonly string[])[];
  #source = 0;
  #index = 0;
  #lookups = 0;
  readonly #lookedUp: string[] = [];

  constructor(bySource: readonly (readonly string[])[]) {
    this.#bySource = bySource;
  }

  /** Returns the next id, or `undefined` when there is none left. */
  next(): string | undefined {
    while (this.#source < this.#bySource.length) {
      const ids = this.#bySource[this.#source] as readonly string[];
      while (this.#index < ids.length && this.#lookups < MAX_LOOKUPS) {
        const id = ids[this.#index++] as string;
        if (!this.#lookedUp.includes(id)) return id;
      }
      this.#source++;
      this.#index = this.#lookups = 0;
    }
    return undefined;
  }

  /** Must be called when the id that `next` has just returned is looked up. Counts towards the limit of its source. */
  countLookup(id: string): void {
    this.#lookups++;
    this.#lookedUp.push(id);
  }
}

/** Finds the session ids in a request; `uri` is the path and query of the original request. */
export type FindSessionIds = (request: HttpRequest, uri: string) => SessionIds;

/** Creates the finder for these sources, in this order; `cookieName` is the name of the session cookie. */
export function createSessionIdFinder(sources: readonly SessionIdSource[], cookieName: string): FindSessionIds {
  const read: Readonly<Record<SessionIdSource, FindIn>> = {
    header: headerValues,
    cookie: (request) => cookieIds(request.header("cookie"), cookieName),
    query: (_, uri) => queryValues(uri),
  };
  const readers = sources.map((source) => read[source]);
  return (request, uri) => new SessionIds(readers.map((readSource) => readSource(request, uri)));
}

/**
 * Returns the text in the header `gkc-sessionId`, which names the caller's own session; `null` without the header. It
 * need not be an id. Refuses with `invalid-request` if the two spellings have different values.
 */
export function currentSessionId(request: HttpRequest): string | null {
  const hyphen = request.header("gkc-sessionid");
  const underscore = request.header("gkc_sessionid");
  if (hyphen !== null && underscore !== null && hyphen !== underscore) {
    const detail = "gkc_sessionId and gkc-sessionId have different values.";
    refuseFaults([{ in: "header", name: "gkc_sessionId", detail }]);
  }
  return hyphen ?? underscore;
}

type FindIn = (request: HttpRequest, uri: string) => readonly string[];

function headerValues(request: HttpRequest): readonly string[] {
  const hyphen = request.header("gkc-sessionid");
  const underscore = request.header("gkc_sessionid");
  if (hyphen === null && underscore === null) return none;
  const ids: string[] = [];
  // The values of a repeated header are joined by commas.
  for (const value of [hyphen, underscore]) {
    for (const each of value?.split(",") ?? none) add(ids, each);
  }
  return ids;
}

function queryValues(uri: string): readonly string[] {
  const start = uri.indexOf("?");
  // If there is a "%", the query is parsed too, because the name may be percent-encoded.
  if (start === -1 || !/sessionId|%/.test(uri.slice(start))) return none;
  const ids: string[] = [];
  for (const value of new URLSearchParams(uri.slice(start + 1)).getAll("sessionId")) add(ids, value);
  return ids;
}

function cookieIds(header: string | null, name: string): readonly string[] {
  const ids: string[] = [];
  for (const value of cookieValues(header, name)) add(ids, value);
  return ids;
}

function add(ids: string[], raw: string): void {
  const value = raw.trim();
  const id = value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  if (id.length === SESSION_ID_CHARACTERS) ids.push(id);
}

const none: readonly string[] = [];
