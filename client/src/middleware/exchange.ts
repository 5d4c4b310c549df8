import { createCaller } from "../call.ts";
import type { RequestRecord } from "../protocol.ts";
import { handleOf, isSessionId } from "../session-id.ts";
import { createTransport, pathOf as sessionPath, type Transport } from "../transport.ts";
import { createBreaker } from "./breaker.ts";
import { type SessionsOptions, type Settings, settingsOf } from "./options.ts";
import { createRecorder, type Recorder } from "./recorder.ts";
import {
  createEndedIds,
  createRequestSession,
  type News,
  type RequestSession,
  type SessionCalls,
} from "./request-session.ts";
import { createResolver, type Located, type Resolver } from "./resolver.ts";
import { type IncomingRequest, sessionIdsOf } from "./session-ids.ts";
import { clearCookie, setCookie } from "./set-cookie.ts";

/** A request from its arrival to the end of its answer. */
export interface Exchange {
  /** Resolves within the deadline and never rejects; `null` when there is no session to be had. */
  readonly session: Promise<RequestSession | null>;
  /** The headers that announce a new session, or the end of one; empty if there is nothing to announce. */
  headers(): readonly (readonly [name: string, value: string])[];
  /** Reports a failure to `onError`. */
  failed(error: unknown): void;
  /** The answer is over: the first call counts. `status` is `null` when none was sent. */
  over(status: number | null, isAborted: boolean): void;
}

/** The records that are on their way. */
export interface Delivery {
  /** Sends what waits, and resolves when that was tried. Never rejects. */
  flush(): Promise<void>;
  /** Sends what waits, for five seconds at most, and lets go of the rest. Never rejects. */
  close(): Promise<void>;
  /** How many records were let go since the start. */
  dropped(): number;
}

/** What the middleware of every framework does. */
export interface Exchanges extends Delivery {
  /** Returns `null` if the request is ignored. */
  begin(request: IncomingRequest): Exchange | null;
}

interface Parts {
  readonly settings: Settings;
  readonly resolver: Resolver;
  readonly recorder: Recorder;
  readonly calls: SessionCalls;
}

/** A sign-in is worth more waiting than a look-up: the server has to write to its disk. */
const IDENTIFY_DEADLINES = 4;
/** Milliseconds for a batch of records, which nobody waits for. */
const RECORD_TIMEOUT = 5000;

/**
 * Throws a `TypeError` for invalid options; `ownNames` are the additional options of one framework's
 * middleware.
 */
export function createExchanges(
  given: SessionsOptions,
  ownNames: readonly string[] = [],
): Exchanges {
  const settings = settingsOf(given, ownNames);
  const { url, key, fetch } = given;
  const { failed } = settings;
  const identifyDeadline = settings.deadline * IDENTIFY_DEADLINES;
  const transport = (timeout: number): Transport =>
    // Whoever calls repeats the call, or nobody does: the transport's pauses would cost the deadline.
    createTransport({ url, key: key?.trim(), fetch, timeout, attempts: 1 });
  const remove = createCaller({ url, key: key?.trim(), fetch, timeout: identifyDeadline });
  const recorder = createRecorder({ transport: transport(RECORD_TIMEOUT), failed });
  const parts: Parts = {
    settings,
    resolver: createResolver(transport(settings.deadline), settings, createBreaker()),
    recorder,
    calls: {
      transport: transport(identifyDeadline),
      endSession: (sessionId) => remove({ method: "DELETE", path: sessionPath(sessionId) }),
      deadline: identifyDeadline,
      flush: (sessionId) => recorder.flush(sessionId),
      failed: (error) => failed(error, 0),
      ended: createEndedIds(),
    },
  };
  return {
    begin(request) {
      const path = pathOf(request.target);
      if (isPreflight(request) || settings.isIgnored(path)) return null;
      return beginExchange(parts, request, path);
    },
    flush: () => recorder.flush(),
    close: recorder.close,
    dropped: recorder.dropped,
  };
}

function beginExchange(
  { settings, resolver, recorder, calls }: Parts,
  request: IncomingRequest,
  path: string,
): Exchange {
  const { method } = request;
  const startedAt = Date.now();
  const started = performance.now();
  const ids = sessionIdsOf(request, settings.sources, settings.cookieName);
  const isSecure = request.isEncrypted || isForwardedSecurely(request);
  const sent = request.header("gkc-sessionid");
  const replaced = isSessionId(sent) ? handleOf(sent) : "none";
  let session: RequestSession | null = null;
  let news: News = "nothing";
  let isOver = false;

  function found(located: Located): RequestSession | null {
    if (located.info === null) return null;
    if (located.isNew) news = "new session";
    session = createRequestSession(located.info, located.isNew, calls, (changed) => {
      news = changed;
      if (changed !== "ended session" || isOver) return;
      // An ended session accepts no records, so the request is recorded before, as far as it is known.
      isOver = true;
      keep(recordOf(null, false), true);
    });
    return session;
  }

  function recordOf(given: number | null, isAborted: boolean): RequestRecord {
    const durationMs = Math.round((performance.now() - started) * 1000) / 1000;
    const { service } = settings;
    const status = recordable(given);
    const attributes = isAborted ? { aborted: "true" } : null;
    return { method, path, status, startedAt, durationMs, service, attributes };
  }

  function keep(record: RequestRecord, isKnown: boolean): void {
    // While Antechamber is unavailable, an id is used unchecked; Antechamber checks it when it is back.
    const sessionId = session?.sessionId ?? (isKnown ? undefined : ids[0]);
    // An ended session accepts no records; that is not an error.
    if (sessionId === undefined || calls.ended.has(sessionId)) return;
    const chosen = choose(record, settings);
    if (chosen !== null) recorder.add(sessionId, chosen);
  }

  const located = resolver.resolve(ids);
  return {
    session: located.then(found),
    failed: calls.failed,
    headers: () => headersOf(news, session?.sessionId ?? "", settings, isSecure, replaced),
    over(status, isAborted) {
      if (isOver) return;
      isOver = true;
      const record = recordOf(status, isAborted);
      void located.then(({ isKnown }) => keep(record, isKnown));
    },
  };
}

/** The API accepts 100 to 599; Node sends others too, and `Response.error()` has 0. */
function recordable(status: number | null): number | null {
  return status !== null && status >= 100 && status <= 599 ? status : null;
}

/**
 * `replaced` is the handle of the session that the request named in its header. With it the client in a page
 * knows that this is the response to its request, and not one that a cache stored for an earlier visitor.
 */
function headersOf(
  news: News,
  sessionId: string,
  { cookie }: Settings,
  isSecure: boolean,
  replaced: string,
) {
  const headers: (readonly [name: string, value: string])[] = [];
  if (news === "nothing") return headers;
  if (news === "new session")
    headers.push(["gkc-sessionId", sessionId], ["gkc-replaces", replaced]);
  if (cookie === null) return headers;
  const value =
    news === "new session" ? setCookie(sessionId, cookie, isSecure) : clearCookie(cookie, isSecure);
  headers.push(["set-cookie", value]);
  return headers;
}

/** The first value, from the first proxy, is the scheme of the visitor's own connection. */
function isForwardedSecurely({ header }: IncomingRequest): boolean {
  const [scheme = ""] = (header("x-forwarded-proto") ?? "").split(",", 1);
  return ["https", "wss"].includes(scheme.trim().toLowerCase());
}

/** The record to send, if any. A filter that fails records nothing: it may be there for privacy. */
function choose(record: RequestRecord, settings: Settings): RequestRecord | null {
  try {
    const choice = settings.record(record);
    if (typeof choice === "object") return choice;
    return choice ? record : null;
  } catch (error) {
    settings.failed(error, 1);
    return null;
  }
}

/** Browsers send neither cookies nor ids with them (Fetch standard, CORS-preflight fetch). */
function isPreflight({ method, header }: IncomingRequest): boolean {
  return method === "OPTIONS" && Boolean(header("access-control-request-method"));
}

/** What is recorded of a path, characters: a record may have 8 KiB in all. */
const MAX_PATH = 2048;
const NOT_PLAIN = /[^\x20-\x7e]+/g;

/** The path of a request's target: without its query, and such that it can always be recorded. */
function pathOf(target: string): string {
  const path = target.startsWith("/") || !URL.canParse(target) ? target : new URL(target).pathname;
  const [bare = ""] = path.split(/[?#]/, 1);
  if (!bare.startsWith("/") && bare !== "*") return "/";
  // Raw bytes are not allowed there, but some servers let them through.
  return bare
    .replace(NOT_PLAIN, (text) => encodeURIComponent(text.toWellFormed()))
    .slice(0, MAX_PATH);
}
