/**
 * The wire contract: what travels between Antechamber and whoever calls it. The server's `http/`
 * imports these names, so the two ends cannot drift apart.
 */

/** The four ids that belong to the caller. `null` stands for "not given" and "not known yet". */
export interface Identity {
  readonly agentId: string | null;
  readonly customerId: string | null;
  readonly visitId: string | null;
  readonly globalVisitId: string | null;
}

/** `anonymous` until the session has a customer or an agent, `recognized` from then on. */
export type SessionState = "anonymous" | "recognized";

/** The answer of all three operations. Every member is always there; times are ISO 8601, UTC, ms. */
export interface SessionInfo extends Identity {
  /** 40 URL-safe characters, made by the server. */
  readonly sessionId: string;
  readonly state: SessionState;
  readonly createdAt: string;
  readonly lastActiveAt: string;
  readonly expiresAt: string;
}

/** The request body of create and update; members that the API does not know are ignored. */
export interface VisitBody {
  readonly visitId?: string | null;
  readonly globalVisitId?: string | null;
}

/**
 * A request that was made in a session, as it is sent to be recorded. `method` and `path` are
 * required; what is left out or `null` is not known. At most 8 KiB each.
 */
export interface RequestRecord {
  /** An HTTP method, such as `GET`. */
  readonly method: string;
  /** Begins with `/`. The query is dropped before it is stored, but for keys that the server allows. */
  readonly path: string;
  /** The HTTP status that answered it, 100 to 599. */
  readonly status?: number | null;
  /** When it came in: ISO 8601 with a time zone, or milliseconds since 1970. The moment of arrival by default. */
  readonly startedAt?: string | number | null;
  /** How long it took, in milliseconds. */
  readonly durationMs?: number | null;
  /** The service that answered it, 1 to 256 characters. */
  readonly service?: string | null;
  /** Whatever else is worth keeping: at most 16 strings by name. */
  readonly attributes?: Readonly<Record<string, string>> | null;
}

/** The answer to recording. */
export interface RecordReceipt {
  /** How many records were taken: all that were sent. */
  readonly accepted: number;
}

/** What every entry of a timeline has: the identity that the session had at that moment. */
interface EntryIdentity extends Identity {
  readonly state: SessionState;
}

/** A recorded request in a timeline. */
export interface RequestEntry extends EntryIdentity {
  readonly type: "request";
  /** Counts the requests of the session from 1, without gaps. */
  readonly sequence: number;
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
  /** ISO 8601, UTC, milliseconds. */
  readonly startedAt: string;
  readonly durationMs: number | null;
  readonly service: string | null;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A moment of the session's own life in its timeline. The identity is the one that it left. */
export interface LifeEntry extends EntryIdentity {
  readonly type: "created" | "associated" | "ended" | "expired";
  /** Only requests are counted. */
  readonly sequence: null;
  /** ISO 8601, UTC, milliseconds. */
  readonly at: string;
  /** The ids that came with it: those it was created with, those that were associated. */
  readonly ids: Readonly<Partial<Record<keyof Identity, string>>>;
}

/** A line of a timeline. */
export type TimelineEntry = RequestEntry | LifeEntry;

/** A page of the timeline of a session: what happened in it, in order. */
export interface Timeline {
  readonly sessionId: string;
  readonly records: readonly TimelineEntry[];
  /** What to pass as `after` for the page that follows; `null` when this one is the last. */
  readonly next: string | null;
  /** Requests that were recorded in all. */
  readonly total: number;
  /** The oldest of them, which were let go since a session keeps so many only. */
  readonly dropped: number;
}

/** A session in a list, also one that is over. */
export interface SessionSummary extends SessionInfo {
  readonly status: "live" | "expired" | "ended";
}

/** A page of sessions, newest first. */
export interface SessionList {
  readonly sessions: readonly SessionSummary[];
  /** What to pass as `cursor` for the page that follows, however few this one has; `null` on the last. */
  readonly next: string | null;
  /**
   * On the first page, of a list by one id alone: how many sessions of it are kept, up to 10,000, which
   * stands for so many or more; without any filter, how many there are. Else `null`.
   */
  readonly total: number | null;
}

/**
 * Selects the sessions to end: at least one of the conditions, or `all`. A condition that is left out or
 * `undefined` is not given; an empty one (`""`, `null`) is refused, and never means "every session".
 */
export interface EndRequest {
  readonly agentId?: string | undefined;
  readonly customerId?: string | undefined;
  readonly visitId?: string | undefined;
  readonly globalVisitId?: string | undefined;
  readonly state?: SessionState | undefined;
  /** ISO 8601 with a time zone, or milliseconds since 1970: created then or later. */
  readonly since?: string | number | undefined;
  /** Created before. */
  readonly until?: string | number | undefined;
  /** Every session there is; for administrators. */
  readonly all?: boolean | undefined;
  /** Only counts them. */
  readonly dryRun?: boolean | undefined;
  /** `next` of the answer before. */
  readonly cursor?: string | null;
}

/** What came of a part of ending sessions. */
export interface EndReceipt {
  /** How many were ended by this request, or counted. */
  readonly sessions: number;
  /** What to pass as `cursor` to go on; `null` when it is done. */
  readonly next: string | null;
}

/** A line of what is kept of a customer; the last one is of the type `end`. */
export type ExportLine =
  | ({ readonly type: "session" } & SessionSummary)
  | { readonly type: "entry"; readonly sessionId: string; readonly entry: TimelineEntry }
  /** What a request with an Idempotency-Key was answered, as its JSON text, and when. */
  | {
      readonly type: "answer";
      readonly sessionId: string;
      readonly at: string;
      readonly answer: string;
    }
  /** A key that stands for the customer; times in milliseconds since 1970. */
  | {
      readonly type: "key";
      readonly id: string;
      readonly role: string;
      readonly customerId: string;
      readonly createdAt: number;
      readonly expiresAt: number | null;
      readonly revokedAt: number | null;
      readonly lastUsedAt: number | null;
      /** The key that replaces it, if it was rotated. */
      readonly successorId: string | null;
    }
  | { readonly type: "end"; readonly sessions: number };

/** What came of a part of erasing a customer. */
export interface ErasureReceipt {
  readonly sessions: number;
  readonly keys: number;
  /** False: repeat the request to go on. */
  readonly isComplete: boolean;
}

/** An entry of the audit trail; its hash holds the one of the entry before. */
export interface AuditLine {
  readonly sequence: number;
  /** ISO 8601, UTC, milliseconds. */
  readonly at: string;
  readonly who: {
    readonly role: string;
    /** The id of a key, or on the command line the operating system's user. */
    readonly credential: string | null;
    readonly agentId: string | null;
  };
  readonly what: string;
  /** The client's address, `unix socket`, `unknown`, or `command line`. */
  readonly from: string;
  readonly outcome: "begun" | "done" | "refused" | "failed";
  /** Ids of sessions and customers are keyed hashes. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
  readonly previous: string;
  readonly hash: string;
}

/** A page of the audit trail, the latest first. */
export interface AuditPage {
  readonly entries: readonly AuditLine[];
  /** What to pass as `cursor` for older ones; `null` on the last page. */
  readonly next: string | null;
}

/** The most records that one request may carry, and the most bytes (UTF-8 JSON) of each. */
export const MAX_RECORDS = 1000;
export const MAX_RECORD_BYTES = 8192;

/** Every refusal's stable word, with the HTTP status it travels under. The set is closed. */
export const problemStatus = {
  "already-exists": 400,
  "invalid-request": 400,
  "nothing-to-associate": 400,
  "session-required": 401,
  "credential-required": 401,
  "invalid-credential": 401,
  "identity-mismatch": 403,
  "role-not-permitted": 403,
  "session-not-found": 404,
  "not-found": 404,
  "method-not-allowed": 405,
  "request-timeout": 408,
  "request-under-way": 409,
  "body-too-large": 413,
  "unsupported-media-type": 415,
  "idempotency-key-reused": 422,
  "too-many-requests": 429,
  unavailable: 503,
} as const;

/** One of the closed set of refusal codes. */
export type ProblemCode = keyof typeof problemStatus;

/** Where in the request a fault lies: `name` is the header, member or parameter at fault. */
export interface Fault {
  readonly in: "body" | "header" | "query";
  readonly name: string;
  readonly detail: string;
}

/** RFC 9457 problem details, served as `application/problem+json`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** A sentence that tells the caller what to change. */
  readonly detail: string;
  readonly code: ProblemCode;
  /** The id that is already set or held, with `already-exists`. */
  readonly field?: keyof Identity;
  /** Each fault with its place, with `invalid-request`. */
  readonly errors?: readonly Fault[];
  /** `unknown` when a change may or may not have been stored, with `unavailable`. */
  readonly outcome?: "unknown";
  /** What the server's log, as far as it is configured to have the request, knows it by. */
  readonly requestId?: string;
}
