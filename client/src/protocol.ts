/**
 * The types of requests and responses between Antechamber and its callers. The server's `http/` imports them, so
 * the two sides cannot disagree.
 */

/** The four ids of the caller. `null` means "not given" and "not known yet". */
export interface Identity {
  readonly agentId: string | null;
  readonly customerId: string | null;
  readonly visitId: string | null;
  readonly globalVisitId: string | null;
}

/** `anonymous` until the session has a customer or an agent, `recognized` from then on. */
export type SessionState = "anonymous" | "recognized";

/** The response of creating, retrieving and updating. No member is ever missing; times are ISO 8601, UTC, milliseconds. */
export interface SessionInfo extends Identity {
  /** 40 URL-safe characters, chosen by the server. */
  readonly sessionId: string;
  readonly state: SessionState;
  readonly createdAt: string;
  readonly lastActiveAt: string;
  readonly expiresAt: string;
}

/** The request body of creating and updating; unknown members are ignored. */
export interface VisitBody {
  readonly visitId?: string | null;
  readonly globalVisitId?: string | null;
}

/**
 * A request to record in a session. `method` and `path` are required; other members may be missing or `null` if
 * they are not known. At most 8 KiB as JSON.
 */
export interface RequestRecord {
  /** An HTTP method, such as `GET`. */
  readonly method: string;
  /** Begins with `/`. Its query is not stored, except keys that the server's configuration allows. */
  readonly path: string;
  /** The HTTP status of the response, 100 to 599. */
  readonly status?: number | null;
  /** Its start: ISO 8601 with a time zone, or Unix ms. By default the time at which the record arrives. */
  readonly startedAt?: string | number | null;
  /** Its duration in milliseconds. */
  readonly durationMs?: number | null;
  /** The name of the service that responded, 1 to 256 characters. */
  readonly service?: string | null;
  /** Other data: at most 16 strings by name. */
  readonly attributes?: Readonly<Record<string, string>> | null;
}

/** The response to recording. */
export interface RecordReceipt {
  /** The number of accepted records: all that were sent. */
  readonly accepted: number;
}

/** The identity of the session at the moment of a timeline entry. */
interface EntryIdentity extends Identity {
  readonly state: SessionState;
}

/** A recorded request in a timeline. */
export interface RequestEntry extends EntryIdentity {
  readonly type: "request";
  /** The position among the requests of the session: 1, 2 and so on without gaps. */
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

/** An event of the session's life in its timeline. The identity is the one after the event. */
export interface LifeEntry extends EntryIdentity {
  readonly type: "created" | "associated" | "ended" | "expired";
  /** Only requests have a sequence number. */
  readonly sequence: null;
  /** ISO 8601, UTC, milliseconds. */
  readonly at: string;
  /** The ids that the event added. */
  readonly ids: Readonly<Partial<Record<keyof Identity, string>>>;
}

/** An entry of a timeline. */
export type TimelineEntry = RequestEntry | LifeEntry;

/** A page of a session's timeline, in order. */
export interface Timeline {
  readonly sessionId: string;
  readonly records: readonly TimelineEntry[];
  /** The value of `after` for the next page; `null` on the last page. */
  readonly next: string | null;
  /** The number of all recorded requests. */
  readonly total: number;
  /** The number of requests that were removed, the oldest first, because a session keeps a limited number. */
  readonly dropped: number;
}

/** A session in a list. It may be expired or ended. */
export interface SessionSummary extends SessionInfo {
  readonly status: "live" | "expired" | "ended";
}

/** A page of sessions, newest first. */
export interface SessionList {
  readonly sessions: readonly SessionSummary[];
  /** The value of `cursor` for the next page; `null` on the last page. Pages before the last may be short. */
  readonly next: string | null;
  /**
   * The number of sessions, only on the first page of a list without a filter or with one id as its only condition.
   * With an id it counts to 10,000 at most: 10,000 means that many or more. Otherwise `null`.
   */
  readonly total: number | null;
}

/**
 * Selects the sessions to end: at least one condition, or `all`. A missing or `undefined` condition has no effect.
 * An empty one (`""`, `null`) is refused, and never means "every session".
 */
export interface EndRequest {
  readonly agentId?: string | undefined;
  readonly customerId?: string | undefined;
  readonly visitId?: string | undefined;
  readonly globalVisitId?: string | undefined;
  readonly state?: SessionState | undefined;
  /** Selects sessions created at this time or later: ISO 8601 with a time zone, or Unix ms. */
  readonly since?: string | number | undefined;
  /** Selects sessions created before this time. */
  readonly until?: string | number | undefined;
  /** Selects every session; for administrators only. */
  readonly all?: boolean | undefined;
  /** Counts the sessions and ends none. */
  readonly dryRun?: boolean | undefined;
  /** The `next` of the previous response. */
  readonly cursor?: string | null;
}

/** The result of one request to end sessions. */
export interface EndReceipt {
  /** The number of sessions that this request ended or counted. */
  readonly sessions: number;
  /** The value of `cursor` for the next request; `null` if there is nothing left to do. */
  readonly next: string | null;
}

/** A line of a customer's export; the last one has the type `end`. */
export type ExportLine =
  | ({ readonly type: "session" } & SessionSummary)
  | { readonly type: "entry"; readonly sessionId: string; readonly entry: TimelineEntry }
  /** A stored response to a request with an Idempotency-Key, as JSON text, and its time. */
  | {
      readonly type: "answer";
      readonly sessionId: string;
      readonly at: string;
      readonly answer: string;
    }
  /** An API key of the customer; times are Unix ms. */
  | {
      readonly type: "key";
      readonly id: string;
      readonly role: string;
      readonly customerId: string;
      readonly createdAt: number;
      readonly expiresAt: number | null;
      readonly revokedAt: number | null;
      readonly lastUsedAt: number | null;
      /** The key that replaced it, if it was rotated. */
      readonly successorId: string | null;
    }
  | { readonly type: "end"; readonly sessions: number };

/** The result of one request to erase a customer. */
export interface ErasureReceipt {
  readonly sessions: number;
  readonly keys: number;
  /** `false` if there is more to erase: repeat the request. */
  readonly isComplete: boolean;
}

/** An entry of the audit trail. Its hash covers the hash of the previous entry. */
export interface AuditLine {
  readonly sequence: number;
  /** ISO 8601, UTC, milliseconds. */
  readonly at: string;
  readonly who: {
    readonly role: string;
    /** The id of an API key; on the command line the user name of the operating system. */
    readonly credential: string | null;
    readonly agentId: string | null;
  };
  readonly what: string;
  /** The caller's address, `unix socket`, `unknown`, or `command line`. */
  readonly from: string;
  readonly outcome: "begun" | "done" | "refused" | "failed";
  /** Details of the operation, with keyed hashes instead of session and customer ids. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
  readonly previous: string;
  readonly hash: string;
}

/** A page of the audit trail, the latest first. */
export interface AuditPage {
  readonly entries: readonly AuditLine[];
  /** The value of `cursor` for the next page, with older entries; `null` on the last page. */
  readonly next: string | null;
}

/** The maximum number of records in one request. */
export const MAX_RECORDS = 1000;
/** The maximum size of a record in bytes (UTF-8 JSON). */
export const MAX_RECORD_BYTES = 8192;

/** The closed set of refusal codes, with the HTTP status of each. */
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

/** A refusal code. */
export type ProblemCode = keyof typeof problemStatus;

/** A fault in a request: `name` is the header, body member or query parameter. */
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
  /** A sentence that explains what to change. */
  readonly detail: string;
  readonly code: ProblemCode;
  /** Only with `already-exists`: the id that the session, or another one, has already. */
  readonly field?: keyof Identity;
  /** Only with `invalid-request`: all faults. */
  readonly errors?: readonly Fault[];
  /** Only with `unavailable`: the change may or may not have been stored. */
  readonly outcome?: "unknown";
  /** The id of the request in the server's log, if requests are logged. */
  readonly requestId?: string;
}
