/** Types of the requests and responses for operators: the audit trail, API keys, the console, the service, statistics. */

/** An entry of the audit trail. The hash of each entry covers the hash of the previous one. */
export interface AuditLine {
  readonly sequence: number;
  /** ISO 8601 in UTC with milliseconds. */
  readonly at: string;
  readonly who: {
    readonly role: string;
    /** Id of the API key; on the command line, the operating system's user. */
    readonly credential: string | null;
    /** Name of the API key, or `null`. */
    readonly keyName: string | null;
    readonly agentId: string | null;
  };
  readonly what: string;
  /** Where the request came from: the caller's address, `unix socket`, `unknown`, or `command line`. */
  readonly from: string;
  readonly outcome: "begun" | "done" | "refused" | "failed";
  /** Details of the operation. Ids of sessions and customers are replaced by keyed hashes. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
  readonly previous: string;
  readonly hash: string;
}

/** A page of the audit trail, newest entry first. */
export interface AuditPage {
  readonly entries: readonly AuditLine[];
  /** Value of `cursor` that returns the next page, with older entries; `null` on the last page. */
  readonly next: string | null;
}

/** Result of checking the audit trail, or a part of it. */
export interface AuditVerification {
  /** Sequence of the last entry that was checked; 0 if the trail is empty. */
  readonly entries: number;
  /** Hash of that entry; `null` if the trail is empty. Keep it elsewhere, to find out later whether it is still there. */
  readonly hash: string | null;
  /** The first 100 faults that were found. */
  readonly faults: readonly {
    readonly sequence: number;
    /** `out-of-order`: entries are missing or were moved. `not-linked`, `changed`: the entry was changed. */
    readonly fault: "out-of-order" | "changed" | "not-linked";
  }[];
  /** Number of all faults that were found. */
  readonly faultCount: number;
  /** Whether one of the entries has the expected hash; `null` if no hash was given. */
  readonly isExpectedFound: boolean | null;
}

/** Result of checking one part of the audit trail. */
export interface AuditVerificationPage extends AuditVerification {
  /** Value of `after` that checks the next part; `null` if this was the last one. */
  readonly next: string | null;
}

/** The roles of callers. */
export type Role = "customer" | "agent" | "service" | "reporter" | "administrator";

/** The request body for a new API key. */
export interface ApiKeyRequest {
  readonly role: Role;
  /** Name for lists and the audit trail, 1 to 64 characters. */
  readonly name?: string | null | undefined;
  /** The only customer for which a key of the role `customer` may act; without it, it is a key for public pages. */
  readonly customerId?: string | null | undefined;
  /** The only agent for which a key of the role `agent` may act. */
  readonly agentId?: string | null | undefined;
  /** The time at which the key expires, ISO 8601; without it, the key is valid until it is revoked. */
  readonly expiresAt?: string | null | undefined;
}

/** An API key, without its secret. Times are ISO 8601 in UTC with milliseconds. */
export interface ApiKeyInfo {
  /** Begins with `k_`. It names the key and is no secret. */
  readonly id: string;
  readonly name: string | null;
  readonly role: Role;
  readonly customerId: string | null;
  readonly agentId: string | null;
  readonly status: "valid" | "expired" | "revoked";
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  /** Approximate time of the last use; `null` if the key was never used. */
  readonly lastUsedAt: string | null;
  /** Id of the key that replaces this one, or `null`. */
  readonly successorId: string | null;
}

/** A new API key with its secret, which only this response has. */
export interface CreatedApiKey extends ApiKeyInfo {
  /** The secret, which callers send. Begins with `ak_`. */
  readonly key: string;
}

/** A new API key, and the one that it replaces. */
export interface RotatedApiKey extends CreatedApiKey {
  readonly replaced: ApiKeyInfo;
}

/** An API key that was revoked. */
export interface RevokedApiKey extends ApiKeyInfo {
  /** A sentence about a consequence that may be a mistake, such as that no administrator is left; otherwise `null`. */
  readonly warning: string | null;
}

/** The request body for rotating an API key. */
export interface ApiKeyRotation {
  /** Time in seconds for which the old key stays valid: 0 to 2,592,000 (30 days); by default 86,400, a day. */
  readonly graceSeconds?: number | undefined;
}

/** A page of API keys, oldest first. */
export interface ApiKeyPage {
  readonly keys: readonly ApiKeyInfo[];
  /** Value of `cursor` that returns the next page; `null` on the last page. */
  readonly next: string | null;
  /** Number of all keys that match. */
  readonly total: number;
  /** Whether callers need keys: only in auth mode `key`. */
  readonly areUsed: boolean;
}

/** A right of a role besides reading sessions. */
export type ConsoleRight = "end" | "end-all" | "events" | "statistics" | "view-tokens" | "administer";

/** The person at the console. `signIn`: how people sign in. */
export type ConsoleSessionInfo =
  | { readonly isSignedIn: false; readonly signIn: "none" | "key" | "token" | "provider" | "proxy" }
  | {
      readonly isSignedIn: true;
      readonly signIn: "none" | "key" | "token" | "provider" | "proxy";
      readonly version: string;
      readonly role: Role;
      readonly agentId: string | null;
      /** Name of the API key or of the person; `null` without one. */
      readonly name: string | null;
      /** The time at which a sign-in is needed again; `null` without a sign-in. */
      readonly endsAt: string | null;
      /** Time in seconds without use after which a sign-in is needed again; `null` without a sign-in. */
      readonly idleSeconds: number | null;
      /** Address of a trace, with `{traceId}` in it; `null` if none is configured. */
      readonly traceUrl: string | null;
      readonly may: readonly ConsoleRight[];
    };

/** The request body for a view token: `session` or `customerId`. */
export interface ViewTokenRequest {
  /** A handle or the id of a session. */
  readonly session?: string | undefined;
  readonly customerId?: string | undefined;
  /** Validity in minutes: 1 to 60; by default 10. */
  readonly minutes?: number | undefined;
}

/** A token that only reads the timeline of one session, or those of one customer's sessions. */
export interface ViewToken {
  /** Sent as `Authorization: Bearer`. Begins with `vt_`. */
  readonly token: string;
  readonly expiresAt: string;
  readonly handle: string | null;
  readonly customerId: string | null;
}

/** The value of a setting. */
export interface SettingInfo {
  readonly name: string;
  /** The value as it would be written in the configuration file; `***` instead of a secret. */
  readonly value: string | number | readonly string[];
  readonly source: "flag" | "environment" | "file" | "default";
  /** Name of the source, such as `--port` or `port in antechamber.json`. */
  readonly from: string;
  readonly description: string;
}

/** The settings of the process that responds. */
export interface Configuration {
  readonly settings: readonly SettingInfo[];
}

/** The state of the process that responds. */
export interface Health {
  /** `unavailable` if the store accepts no changes. */
  readonly status: "ok" | "unavailable" | "stopping";
  readonly version: string;
  /** The runtime and its version, such as `bun 1.4.5`. */
  readonly runtime: string;
  /** ISO 8601 in UTC with milliseconds. */
  readonly startedAt: string;
  readonly auth: "local" | "key" | "jwt" | "proxy";
  /** Memory of the process in bytes. */
  readonly memoryBytes: number;
  readonly store: {
    readonly engine: "sqlite" | "redis";
    /** Whether the last attempt to write succeeded. */
    readonly isWritable: boolean;
    /** Number of changes that are not completed yet. */
    readonly pendingChanges: number;
    /** Size of the data, on disk or in the memory of Redis; `null` if it is unknown. */
    readonly bytes: number | null;
    /** Number of the 256 shards of a Redis Cluster whose data were found to be lost within the last day. */
    readonly lostShards: number;
    /** Number of these 256 shards whose sessions may be missing in lists, as lost index entries are not written again yet. */
    readonly shardsToRepair: number;
  };
}

/** A value for each step of statistics; `null` for a step without one. */
export type StatisticsColumn = readonly (number | null)[];

/** Percentiles of durations, in ms. */
export interface StatisticsPercentiles {
  readonly p50: StatisticsColumn;
  readonly p95: StatisticsColumn;
  readonly p99: StatisticsColumn;
}

/**
 * Statistics over time: columns with a value for each step. A count is `null` for a step in which no server ran.
 * Times are ISO 8601 in UTC with milliseconds.
 */
export interface StatisticsInfo {
  /** The start of the first step. */
  readonly since: string;
  /** The end of the last step. */
  readonly until: string;
  /** Length of a step in seconds. */
  readonly step: number;
  /** The start of each step. */
  readonly times: readonly string[];
  readonly sessions: {
    readonly created: StatisticsColumn;
    readonly associated: StatisticsColumn;
    readonly ended: StatisticsColumn;
    readonly expired: StatisticsColumn;
    /** Stored sessions that are live at the end of the step; `null` if unknown. */
    readonly live: StatisticsColumn;
  };
  readonly records: {
    /** Recorded requests by service. `none` has those without one, `other` those of services beyond the first 50. */
    readonly byService: Readonly<Record<string, StatisticsColumn>>;
    /** Recorded requests by class of status, such as `2xx`; `none` has those without one. */
    readonly byStatus: Readonly<Record<string, StatisticsColumn>>;
  };
  /** Durations of the recorded requests by service. */
  readonly durations: Readonly<Record<string, StatisticsPercentiles>>;
  /** Requests to the API by operation and class of status. */
  readonly requests: Readonly<Record<string, Readonly<Record<string, StatisticsColumn>>>>;
  /** Durations of the requests to the API by operation. */
  readonly latency: Readonly<Record<string, StatisticsPercentiles>>;
  /** Refused requests by code. */
  readonly refusals: Readonly<Record<string, StatisticsColumn>>;
}
