/**
 * Types of the requests and responses between Antechamber and its callers. The server imports the same types, so the
 * client and the server cannot disagree.
 */

export type * from "./protocol-operators.ts";

/** The ids that requests have in headers: `gkc-agentId`, `gkc-customerId`. */
export const headerIds = ["agentId", "customerId"] as const;

/** The ids that requests have in their JSON body. */
export const bodyIds = ["visitId", "globalVisitId"] as const;

/** The name of an id of the caller. */
export type IdName = (typeof headerIds | typeof bodyIds)[number];

/** The ids of a caller. `null` means that an id is not given, or not known yet. */
export type Identity = { readonly [Name in IdName]: string | null };

/** `recognized` if the session has a customer or an agent; otherwise `anonymous`. */
export type SessionState = "anonymous" | "recognized";

/**
 * The response to creating, retrieving and updating a session. Only `profile` and `label` may be missing. Times are ISO
 * 8601 in UTC with milliseconds.
 */
export interface SessionInfo extends Identity {
  /** 40 URL-safe characters that the server chooses. */
  readonly sessionId: string;
  readonly state: SessionState;
  readonly createdAt: string;
  readonly lastActiveAt: string;
  readonly expiresAt: string;
  /** Name of the session's profile, if it has one. */
  readonly profile?: string;
  /** The text by which people recognize the session, if it has one. */
  readonly label?: string;
}

/** A session with its data (contract.md#data). */
export interface SessionInfoWithData<Data extends object = SessionData> extends SessionInfo {
  readonly data: Data;
}

/** The data of a session: a JSON object of at most 16 KiB. */
export type SessionData = Readonly<Record<string, unknown>>;

/** A merge patch (RFC 7396) of data: members to set; `null` removes one. Objects are merged, arrays are replaced. */
export type MergePatch<Data> = { readonly [Name in keyof Data]?: MergedValue<Data[Name]> | null };
type MergedValue<Value> = Value extends readonly unknown[] ? Value : Value extends object ? MergePatch<Value> : Value;

/** The request body for creating and updating a session. Unknown members are ignored. */
export type SessionBody = { readonly [Name in (typeof bodyIds)[number]]?: string | null } & {
  /** Only for updating: whether the session gets a new id (contract.md#rule-9). */
  readonly rotate?: boolean | undefined;
  /** Name of the profile whose lifetimes count from now on (contract.md#rule-10). */
  readonly profile?: string | undefined;
  /** A text by which people recognize the session, up to 128 characters (contract.md#rule-11). */
  readonly label?: string | undefined;
};

/**
 * A request to record in a session. Only `method` and `path` are required; a member that is not known may be missing or
 * `null`. The record may have at most 8 KiB as JSON.
 */
export interface RequestRecord {
  /** The HTTP method, such as `GET`. */
  readonly method: string;
  /**
   * The path, which begins with `/`. Its query is not stored, except for the parameters that the server's configuration
   * allows.
   */
  readonly path: string;
  /** HTTP status of the response, 100 to 599. */
  readonly status?: number | null;
  /**
   * Time at which the request began: ISO 8601 with a time zone, or Unix ms. By default the record's time of arrival.
   */
  readonly startedAt?: string | number | null;
  /** Duration of the request in milliseconds. */
  readonly durationMs?: number | null;
  /** Name of the service that handled the request, 1 to 256 characters. */
  readonly service?: string | null;
  /** Further data: at most 16 strings, each with a name. */
  readonly attributes?: Readonly<Record<string, string>> | null;
}

/** The response to recording. */
export interface RecordReceipt {
  /** Number of records that were accepted. Either all records of a request are accepted or none. */
  readonly accepted: number;
}

/** The session's identity at the time of a timeline entry. */
interface EntryIdentity extends Identity {
  readonly state: SessionState;
}

/** A recorded request in a timeline. */
export interface RequestEntry extends EntryIdentity {
  readonly type: "request";
  /** Number of the request within the session: 1, 2 and so on, without gaps. */
  readonly sequence: number;
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
  /** ISO 8601 in UTC with milliseconds. */
  readonly startedAt: string;
  readonly durationMs: number | null;
  readonly service: string | null;
  readonly attributes: Readonly<Record<string, string>>;
}

/** An event of the session's life in its timeline. The identity is that of the session after the event. */
export interface LifeEntry extends EntryIdentity {
  readonly type: "created" | "associated" | "rotated" | "ended" | "expired";
  /** Always `null`: only requests have a sequence number. */
  readonly sequence: null;
  /** ISO 8601 in UTC with milliseconds. */
  readonly at: string;
  /** The ids that the event added. */
  readonly ids: Readonly<Partial<Record<keyof Identity, string>>>;
}

/** An entry of a timeline. */
export type TimelineEntry = RequestEntry | LifeEntry;

/** A page of a session's timeline, in order. */
export interface Timeline {
  /** The first 24 characters of the session's id. */
  readonly handle: string;
  readonly records: readonly TimelineEntry[];
  /** Value of `after` that returns the next page; `null` on the last page. */
  readonly next: string | null;
  /** Number of all requests that were recorded in the session. */
  readonly total: number;
  /** Number of requests that were removed, oldest first, because a session keeps only a limited number. */
  readonly dropped: number;
}

/**
 * A session in a list. It may be live, expired or ended. It has the first 24 characters of its id, its handle, which
 * names the session and does not open it.
 */
export interface SessionSummary extends Omit<SessionInfo, "sessionId"> {
  readonly handle: string;
  readonly status: "live" | "expired" | "ended";
  /**
   * Whether this is the session of the request. Only present if the request had that session's id in the header
   * `gkc-sessionId`.
   */
  readonly isCurrent?: boolean;
}

/** A page of sessions, newest first. */
export interface SessionList {
  readonly sessions: readonly SessionSummary[];
  /**
   * Value of `cursor` that returns the next page; `null` on the last page. A page may have fewer sessions than
   * requested.
   */
  readonly next: string | null;
  /**
   * Number of sessions in the whole list, on the first page of a list without conditions or with one id as its only
   * condition; otherwise `null`. With an id, 10,000 means "10,000 or more".
   */
  readonly total: number | null;
}

/**
 * The sessions to end: at least one condition, or `all`. A missing or `undefined` condition has no effect. An empty
 * condition (`""`, `null`) is refused; it never means "every session".
 */
export interface EndRequest extends Readonly<Partial<Record<IdName, string | undefined>>> {
  readonly handle?: string | undefined;
  readonly state?: SessionState | undefined;
  /** Selects sessions with exactly this label. */
  readonly label?: string | undefined;
  /** Selects sessions that were created at this time or later: ISO 8601 with a time zone, or Unix ms. */
  readonly since?: string | number | undefined;
  /** Selects sessions that were created before this time. */
  readonly until?: string | number | undefined;
  /** Selects sessions that were last used at this time or later. */
  readonly activeSince?: string | number | undefined;
  /** Handle or id of a session that stays live although it matches. A customer may give it without a condition. */
  readonly except?: string | undefined;
  /** Selects every session. Administrators may use it, and customers for all sessions of their own. */
  readonly all?: boolean | undefined;
  /** Only counts the selected sessions and does not end them. */
  readonly dryRun?: boolean | undefined;
  /** The `next` of the previous response, to continue. */
  readonly cursor?: string | null;
}

/** The result of one request to end sessions. */
export interface EndReceipt {
  /** Number of sessions that this request ended or counted. */
  readonly sessions: number;
  /** Value of `cursor` for the next request; `null` if all selected sessions were processed. */
  readonly next: string | null;
}

/** A line of a customer's export. The last line has the type `end`. */
export type ExportLine =
  | ({ readonly type: "session" } & SessionSummary)
  /** Session data. The line follows that of its session, if the session is live and has data. */
  | { readonly type: "data"; readonly handle: string; readonly data: SessionData }
  | { readonly type: "entry"; readonly handle: string; readonly entry: TimelineEntry }
  /** The stored response to a request with an Idempotency-Key: its JSON text, and when it was stored. */
  | {
      readonly type: "answer";
      readonly handle: string;
      readonly at: string;
      readonly answer: string;
    }
  /** An API key of the customer. Times are Unix ms. */
  | {
      readonly type: "key";
      readonly id: string;
      readonly name: string | null;
      readonly role: string;
      readonly customerId: string;
      readonly createdAt: number;
      readonly expiresAt: number | null;
      readonly revokedAt: number | null;
      readonly lastUsedAt: number | null;
      /** Id of the key that replaced this one in a rotation. */
      readonly successorId: string | null;
    }
  | { readonly type: "end"; readonly sessions: number };

/** The result of one request to erase a customer. */
export interface ErasureReceipt {
  readonly sessions: number;
  readonly keys: number;
  /** `false` if there is more to erase: the request must then be repeated. */
  readonly isComplete: boolean;
}

/** A session in an event, right after the change that the event reports. The label is that of the time of reading. */
export interface EventSession extends Identity {
  /** The first 24 characters of the session's id. It names the session and does not open it. */
  readonly handle: string;
  readonly state: SessionState;
  readonly createdAt: string;
  readonly lastActiveAt: string;
  readonly expiresAt: string;
  readonly label: string | null;
}

/** The content of an event by its type. */
interface EventData {
  readonly "session.created": { readonly session: EventSession };
  /** `added` has the names of the ids that were set. */
  readonly "session.associated": { readonly session: EventSession; readonly added: readonly IdName[] };
  readonly "session.rotated": { readonly session: EventSession };
  readonly "session.ended": {
    readonly session: EventSession;
    readonly reason: "caller" | "bulk" | "operator" | "logout";
  };
  readonly "session.expired": { readonly session: EventSession; readonly reason: "idle" | "lifetime" };
  /** `customerHash` is a keyed hash of the customer's id, as in the audit trail. */
  readonly "customer.erased": { readonly customerHash: string };
  readonly "webhook.test": Readonly<Record<string, never>>;
}

/** The type of an event. */
export type EventType = keyof EventData;

/** Something that happened to a session or a customer. Times are ISO 8601 in UTC with milliseconds. */
export type EventInfo = {
  readonly [Type in EventType]: {
    /** The id of the event. It is the same for every reader and every delivery; a reader resumes after it. */
    readonly id: string;
    readonly type: Type;
    /** The time of the change; for `session.expired`, the time at which the session expired. */
    readonly timestamp: string;
    readonly data: EventData[Type];
  };
}[EventType];

/** The request body for creating an endpoint of webhooks. To change one, send the members that change. */
export interface WebhookRequest {
  /** The URL to which events are sent: https, or http where the server allows it. */
  readonly url: string;
  /** The types of events that are sent; all types if it is missing or `null`. */
  readonly types?: readonly Exclude<EventType, "webhook.test">[] | null | undefined;
  /** A text for people, up to 256 characters. */
  readonly description?: string | null | undefined;
  /** Whether events are sent; `true` by default. Events that happen while it is `false` are not sent later. */
  readonly isEnabled?: boolean | undefined;
}

/** An endpoint of webhooks. Times are ISO 8601 in UTC with milliseconds. */
export interface WebhookInfo {
  readonly id: string;
  readonly url: string;
  /** `null` for all types. */
  readonly types: readonly Exclude<EventType, "webhook.test">[] | null;
  readonly description: string | null;
  readonly isEnabled: boolean;
  /** `gone` if the receiver responded 410 and the server has disabled the endpoint; otherwise `null`. */
  readonly disabledReason: "gone" | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** The secrets with which messages are signed, newest first, without their values. */
  readonly secrets: readonly { readonly createdAt: string; readonly expiresAt: string | null }[];
  /** Number of deliveries that are not finished. */
  readonly pending: number;
  /** When the oldest of them was queued. */
  readonly oldestPendingAt: string | null;
}

/** An endpoint with its new secret, which is shown only now. */
export interface WebhookWithSecret extends WebhookInfo {
  /** `whsec_` and base64, as the libraries of Standard Webhooks take it. */
  readonly secret: string;
}

/** All endpoints of webhooks, oldest first. */
export interface WebhookList {
  readonly webhooks: readonly WebhookInfo[];
}

/** The request body for rotating the secret of an endpoint. */
export interface WebhookRotation {
  /** Time in seconds for which messages are signed with the old secret too: 0 to 604,800; by default 86,400, a day. */
  readonly graceSeconds?: number | undefined;
}

/** The delivery of an event to an endpoint. */
export interface WebhookDelivery {
  readonly id: string;
  /** Id of the event, the header `webhook-id` of every attempt. */
  readonly eventId: string;
  readonly type: EventType;
  /** Handle of the session that the event is about. */
  readonly handle: string | null;
  readonly state: "pending" | "delivered" | "failed";
  /** Number of attempts since the event was queued or redelivered. */
  readonly attempts: number;
  readonly queuedAt: string;
  /** `null` if the delivery is finished, or waits for an earlier one of the same session. */
  readonly nextAttemptAt: string | null;
  readonly finishedAt: string | null;
  readonly lastAttempt: {
    readonly at: string;
    readonly durationMs: number;
    /** HTTP status of the response; `null` if there was none. */
    readonly status: number | null;
    /** Why there was no response. */
    readonly error:
      | ("timeout" | "unknown-host" | "address-not-allowed" | "tls" | "connection" | "invalid-response" | "overdue")
      | null;
  } | null;
}

/** A page of deliveries, newest first. */
export interface WebhookDeliveryList {
  readonly deliveries: readonly WebhookDelivery[];
  /** Value of `cursor` that returns the next page; `null` on the last page. */
  readonly next: string | null;
}

/** Maximum number of records in one request. */
export const MAX_RECORDS = 1000;
/** Maximum size of a record in bytes, as JSON in UTF-8. */
export const MAX_RECORD_BYTES = 8192;

/** All refusal codes, each with its HTTP status. There are no others. */
export const problemStatus = {
  "already-exists": 400,
  "invalid-request": 400,
  "nothing-to-associate": 400,
  "rotation-limit": 400,
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
  "precondition-failed": 412,
  "body-too-large": 413,
  "unsupported-media-type": 415,
  "idempotency-key-reused": 422,
  "too-many-requests": 429,
  unavailable: 503,
} as const;

/** A refusal code. */
export type ProblemCode = keyof typeof problemStatus;

/** A fault in a request. `name` is the name of the header, body member or query parameter. */
export interface Fault {
  readonly in: "body" | "header" | "path" | "query";
  readonly name: string;
  readonly detail: string;
}

/** The body of a refusal: RFC 9457 problem details, sent as `application/problem+json`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** A sentence that says what the caller should change. */
  readonly detail: string;
  readonly code: ProblemCode;
  /**
   * Only with `already-exists`: the kind of id that conflicts. The session has another id of this kind, or another
   * session has the given id.
   */
  readonly field?: keyof Identity;
  /** Only with `invalid-request`: all faults in the request. */
  readonly errors?: readonly Fault[];
  /** Only with `unavailable`: it is not known whether the change was stored. */
  readonly outcome?: "unknown";
  /** Id of the request in the server's log, if requests are logged. */
  readonly requestId?: string;
}
