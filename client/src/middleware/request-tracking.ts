import { createServerTransport } from "../http/transport.ts";
import type { RequestRecord } from "../protocol.ts";
import { handleOf, isSessionId } from "../session-id.ts";
import { randomKey } from "../session-operations.ts";
import type { TransportOptions } from "../transport.ts";
import { createCircuitBreaker } from "./circuit-breaker.ts";
import { type SessionsOptions, type Settings, settingsOf } from "./options.ts";
import { createRecentSessions } from "./recent-sessions.ts";
import { Recorder } from "./recorder.ts";
import { createRequestSession, type RequestSession, type SessionCalls, type SessionChange } from "./request-session.ts";
import { createRotations } from "./rotations.ts";
import { type IncomingRequest, sessionIdsOf } from "./session-ids.ts";
import { createSessionResolver, type ResolvedSession, type SessionResolver } from "./session-resolver.ts";
import { type CookieToSet, cookieFor, formatClearCookie, formatSetCookie } from "./set-cookie.ts";

type Headers = readonly (readonly [name: string, value: string])[];

/** A request from its arrival to the end of its response. */
export interface TrackedRequest {
  /** The session of the request; `null` if there is none. Resolves within the deadline and never rejects. */
  readonly session: Promise<RequestSession | null>;
  /** The result of the search for the session. */
  readonly resolved: Promise<ResolvedSession>;
  /**
   * Returns the headers that report a new id or an ended session to the visitor; an empty list if nothing changed. Later
   * changes are not reported.
   */
  sessionHeaders(): Headers;
  /** Reports a failure to `onError`. */
  reportFailure(error: unknown): void;
  /** Records the request; calls after the first are ignored. `status` is `null` if no response was sent. */
  finish(status: number | null, isAborted: boolean): void;
}

/** The delivery of records to Antechamber. */
export interface Delivery {
  /** Sends the waiting records. Resolves after the attempt, whether or not it succeeded. Never rejects. */
  flush(): Promise<void>;
  /** Sends the waiting records. Drops those that are not delivered within five seconds. Never rejects. */
  close(): Promise<void>;
  /** Returns the number of records that were dropped since the start. */
  dropped(): number;
}

/** The work that a framework does itself for a request. */
export interface TrackingOptions {
  /** The session, if another part of the application has found it, and sets its cookie if it is new. */
  readonly found?: ResolvedSession | undefined;
  /**
   * Sets the cookie of a new or ended session. Without it, the cookie is one of the session's headers. If it throws,
   * `identify` or `end` rejects with that error.
   */
  readonly setCookie?: ((cookie: CookieToSet) => void) | undefined;
}

/** The part of the middleware that all frameworks share. */
export interface RequestTracker extends Delivery {
  /** Starts tracking a request. Returns `null` if the request is to be ignored. */
  track(request: IncomingRequest, options?: TrackingOptions): TrackedRequest | null;
}

interface TrackerParts {
  readonly settings: Settings;
  readonly resolver: SessionResolver;
  readonly recorder: Recorder;
  readonly calls: SessionCalls;
}

/** `identify` may take this many deadlines: a sign-in matters, and the server writes the ids to its disk. */
const IDENTIFY_DEADLINES = 4;
/** Time limit for sending a batch of records, in milliseconds. No visitor waits for it. */
const RECORD_TIMEOUT_MS = 5000;

/**
 * Creates the shared part of a middleware. `ownNames` are options that only one framework's middleware has. Throws a
 * `TypeError` if an option is invalid.
 */
export function createRequestTracker(given: SessionsOptions, ownNames: readonly string[] = []): RequestTracker {
  const settings = settingsOf(given, ownNames);
  const { url, fetch } = given;
  const key = given.key?.trim();
  const { reportFailure, rotate } = settings;
  const identifyDeadline = settings.deadline * IDENTIFY_DEADLINES;
  const transport = (options: Pick<TransportOptions, "timeout" | "attempts">) =>
    createServerTransport({ url, key, fetch, ...options });
  // One attempt only: waiting for another would use up the deadline. The callers retry where that makes sense.
  const once = (timeout: number) => transport({ timeout, attempts: 1 });
  const identifying = transport({ timeout: identifyDeadline });
  const recorder = new Recorder({ transport: once(RECORD_TIMEOUT_MS), reportFailure });
  const parts: TrackerParts = {
    settings,
    resolver: createSessionResolver(once(settings.deadline), settings, createCircuitBreaker()),
    recorder,
    calls: {
      transport: identifying,
      // Without an API key, other processes cannot repeat a rotation of this one.
      rotate: rotate ? createRotations(identifying, key || randomKey()) : null,
      deadline: identifyDeadline,
      flush: (sessionId) => recorder.flush(sessionId),
      reportFailure: (error) => reportFailure(error, 0),
      recent: createRecentSessions(),
    },
  };
  return {
    track(request, options = {}) {
      const path = recordablePath(request.target);
      if (isPreflight(request) || settings.isIgnored(path)) return null;
      return trackRequest(parts, request, path, options);
    },
    flush: () => recorder.flush(),
    close: () => recorder.close(),
    dropped: () => recorder.dropped(),
  };
}

function trackRequest(
  { settings, resolver, recorder, calls }: TrackerParts,
  request: IncomingRequest,
  path: string,
  { found, setCookie }: TrackingOptions,
): TrackedRequest {
  const recordWith = startRecord(request.method, path, settings.service);
  const ids = sessionIdsOf(request, settings.sources, settings.cookieName);
  const isSecure = request.isEncrypted || isForwardedSecurely(request);
  const sentId = request.header("gkc-sessionid");
  const replaces = isSessionId(sentId) ? handleOf(sentId) : "none";
  let session: RequestSession | null = null;
  let change: SessionChange = "none";
  let isHeadComplete = false;
  let isFinished = false;

  function createSession({ info, isNew }: ResolvedSession): RequestSession | null {
    if (info === null) return null;
    if (isNew) change = "new id";
    if (isNew && found === undefined) announce("new id", info.sessionId);
    session = createRequestSession(info, isNew, calls, {
      canReport: () => !isHeadComplete,
      changed(changed) {
        announce(changed, session?.sessionId ?? "");
        if (changed !== "ended session" || isFinished) return;
        // An ended session accepts no records. So the request is recorded before the session ends, without a status.
        isFinished = true;
        enqueue(recordWith(null, false), true);
      },
    });
    return session;
  }

  /** Remembers a change for the headers of the response, and sets the cookie if the framework does that. */
  function announce(next: SessionChange, sessionId: string): void {
    change = next;
    if (isHeadComplete || settings.cookie === null) return;
    setCookie?.(cookieFor(next === "ended session" ? "" : sessionId, settings.cookie, isSecure));
  }

  function enqueue(record: RequestRecord, isAvailable: boolean): void {
    // If Antechamber was unavailable, the request's first id is used unchecked. Antechamber checks it on delivery of
    // the record.
    const sessionId = session?.sessionId ?? (isAvailable ? undefined : ids[0]);
    // An ended session accepts no records. This is not an error.
    if (sessionId === undefined || calls.recent.hasEnded(sessionId)) return;
    const filtered = applyFilter(record, settings);
    if (filtered !== null) recorder.add(calls.recent.latestIdOf(sessionId), filtered, session?.isNew === true);
  }

  const resolved = found === undefined ? resolver.resolve(ids) : resolver.complete(found);
  return {
    resolved,
    session: resolved.then(createSession),
    reportFailure: calls.reportFailure,
    sessionHeaders() {
      isHeadComplete = true;
      const sessionId = session?.sessionId ?? "";
      // A sign-in that ends later than the sign-out does not set the cookie again.
      if (change === "new id" && calls.recent.hasEnded(sessionId)) return [];
      const headers = sessionHeadersOf(change, { sessionId, replaces, isSecure }, settings);
      const isCookieSet = setCookie !== undefined || (change === "new id" && sessionId === found?.info?.sessionId);
      return isCookieSet ? headers.filter(([name]) => name !== "set-cookie") : headers;
    },
    finish(status, isAborted) {
      if (isFinished) return;
      isFinished = true;
      const record = recordWith(status, isAborted);
      void resolved.then(({ isAvailable }) => enqueue(record, isAvailable));
    },
  };
}

/** Starts the record of a request. Returns a function that adds the status and the duration. */
function startRecord(method: string, path: string, service: string | null) {
  const startedAt = Date.now();
  const started = performance.now();
  return (status: number | null, isAborted: boolean): RequestRecord => ({
    method,
    path,
    status: recordableStatus(status),
    startedAt,
    durationMs: Math.round((performance.now() - started) * 1000) / 1000,
    service,
    attributes: isAborted ? { aborted: "true" } : null,
  });
}

/** Returns the status if the API accepts it (100 to 599); `null` otherwise. `Response.error()`, for example, has 0. */
function recordableStatus(status: number | null): number | null {
  return status !== null && status >= 100 && status <= 599 ? status : null;
}

/**
 * Returns the headers that report a new id or an ended session to the visitor. `replaces` is the handle of the session id in
 * the request's header: it proves to the client in the page that the response is not an earlier visitor's from a cache.
 */
function sessionHeadersOf(
  change: SessionChange,
  of: { readonly sessionId: string; readonly replaces: string; readonly isSecure: boolean },
  { cookie }: Settings,
): Headers {
  if (change === "none") return [];
  const { sessionId, replaces, isSecure } = of;
  const isNew = change === "new id";
  const headers: [name: string, value: string][] = isNew
    ? [
        ["gkc-sessionId", sessionId],
        ["gkc-replaces", replaces],
      ]
    : [];
  if (cookie === null) return headers;
  const value = isNew ? formatSetCookie(sessionId, cookie, isSecure) : formatClearCookie(cookie, isSecure);
  return [...headers, ["set-cookie", value]];
}

/**
 * Returns whether the visitor's connection uses TLS. Each proxy appends a scheme to `X-Forwarded-Proto`, so the first
 * scheme is that of the visitor's connection.
 */
function isForwardedSecurely({ header }: IncomingRequest): boolean {
  const [scheme = ""] = (header("x-forwarded-proto") ?? "").split(",", 1);
  return ["https", "wss"].includes(scheme.trim().toLowerCase());
}

/**
 * Returns the record to send; `null` if there is none. If the application's filter throws, nothing is recorded, because
 * the filter may protect privacy.
 */
function applyFilter(record: RequestRecord, settings: Settings): RequestRecord | null {
  try {
    const choice = settings.record(record);
    if (typeof choice === "object") return choice;
    return choice ? record : null;
  } catch (error) {
    settings.reportFailure(error, 1);
    return null;
  }
}

/** Returns whether this is a CORS preflight, which never has cookies or ids (Fetch standard, CORS-preflight fetch). */
function isPreflight({ method, header }: IncomingRequest): boolean {
  return method === "OPTIONS" && Boolean(header("access-control-request-method"));
}

/** Maximum number of characters of a recorded path, so that the record stays below its limit of 8 KiB. */
const MAX_PATH = 2048;
const NON_ASCII = /[^\x20-\x7e]+/g;

/** Returns the path of a request's target, without the query, in a form that the API accepts. */
function recordablePath(target: string): string {
  const path = target.startsWith("/") || !URL.canParse(target) ? target : new URL(target).pathname;
  const [bare = ""] = path.split(/[?#]/, 1);
  if (!bare.startsWith("/") && bare !== "*") return "/";
  // HTTP does not allow non-ASCII characters in a path, but some servers accept them.
  return bare.replace(NON_ASCII, (text) => encodeURIComponent(text.toWellFormed())).slice(0, MAX_PATH);
}
