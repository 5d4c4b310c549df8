/** Types of the requests and responses about sessions: their data, timelines, lists, ends and exports. */

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
export type SessionBody = { readonly [Name in (typeof bodyIds)[number]]?: string | null | undefined } & {
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

/** Maximum number of records in one request. */
export const MAX_RECORDS = 1000;
/** Maximum size of a record in bytes, as JSON in UTF-8. */
export const MAX_RECORD_BYTES = 8192;

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
