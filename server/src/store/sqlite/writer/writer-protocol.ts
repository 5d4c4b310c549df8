import type { Session } from "../../../session/session.ts";
import type { StatisticsRow } from "../../../session/statistics.ts";
import type { RecordPage } from "../../../session/timeline.ts";
import type { Delivery, Endpoint } from "../../../session/webhook.ts";
import type { AuditEntry } from "../../audit-chain.ts";
import type { StoreOpenFault } from "../../open-error.ts";
import type { ApiKey, ApiKeyUse, SignOut } from "../../ports/credentials.ts";
import type { DataRequest, DataResult } from "../../ports/data.ts";
import type { IdempotentRequest, Replay, StoredResponseItem } from "../../ports/idempotency.ts";
import type { PurgeResult } from "../../ports/lifecycle.ts";
import type { RecordPageRequest } from "../../ports/records.ts";
import type { ListRequest, SessionPage } from "../../ports/search.ts";
import type { AssociationRequest, AssociationResult, CreateResult, EndRequest } from "../../ports/sessions.ts";
import type { ExportPage, ImportRequest } from "../../ports/transfer.ts";
import type { AttemptResult, QueueRequest } from "../../ports/webhooks.ts";
import type { Displacement } from "../files/file-guard.ts";

/*
 * The contents of messages between the serving thread and the writer thread. They are sent as JSON text, which both
 * runtimes pass several times faster than objects. So parameters and results consist of values that JSON has. All times are Unix ms.
 */

interface Timed {
  readonly now: number;
}

/** The operations that write. Each runs in the transaction of its group. */
export interface WriteOperations {
  create(change: { readonly session: Session; readonly idempotent?: IdempotentRequest } & Timed): CreateResult | Replay;
  associate(change: AssociationRequest): AssociationResult | Replay;
  /** Renews a session. Returns the session as it is stored now; `null` if it was no longer live. */
  renew(change: { readonly handle: string } & Timed): Session | null;
  /** Ends a session. Returns the ended session; `null` if there was no live session with this handle in the scope. */
  end(change: EndRequest): Session | null;
  changeData(change: DataRequest): DataResult;
  /** Stores lines of the journal. `handle` is their session, if the request has an idempotency key. */
  storeRecords(
    change: {
      readonly handle?: string;
      readonly lines: string;
      readonly idempotent?: IdempotentRequest;
    } & Timed,
  ): { readonly outcome: "recorded" } | Replay;
  /** Erases sessions. Returns a tombstone for each one whose implicit session would still be live. */
  eraseSessions(change: { readonly handles: readonly string[] } & Timed): readonly Session[];
  eraseCustomerApiKeys(change: { readonly customerId: string; readonly customerHash: string } & Timed): number;
  /** Does a slice of housekeeping. Sessions are purged as of `sessionTime`, which is never later than `now`. */
  purgeExpired(change: { readonly sessionTime: number } & Timed): PurgeOutcome;
  /**
   * Does a slice of a purge of the index, which removes the entries of deleted sessions. `upTo` is the last session to
   * include, as a sequence in `index_deleted`. In the first call `null` stands for the session that was deleted last.
   * The outcome has `upTo` for the next call.
   */
  purgeIndex(change: { readonly upTo: number | null } & Timed): {
    readonly upTo: number;
    readonly isDone: boolean;
  };
  /** Appends an entry to the audit trail. Returns false if the entry does not follow the last one. */
  appendAuditEntry(change: { readonly entry: AuditEntry } & Timed): boolean;
  addApiKey(change: { readonly key: ApiKey } & Timed): null;
  revokeApiKey(change: { readonly id: string } & Timed): boolean;
  replaceApiKey(
    change: { readonly id: string; readonly successor: ApiKey; readonly expiresAt: number } & Timed,
  ): boolean;
  recordApiKeyUse(change: { readonly uses: readonly ApiKeyUse[] } & Timed): null;
  addSecret(change: { readonly base64: string } & Timed): null;
  addSignOut(change: { readonly signOut: SignOut } & Timed): null;
  addEndpoint(change: { readonly endpoint: Endpoint } & Timed): boolean;
  replaceEndpoint(change: { readonly endpoint: Endpoint } & Timed): boolean;
  removeEndpoint(change: { readonly id: string } & Timed): boolean;
  /** Queues deliveries. Returns their ids, or `null` if nothing was queued. */
  queueDeliveries(change: QueueRequest): readonly string[] | null;
  storeAttempt(change: AttemptResult): null;
  /** Fails deliveries that were queued before `queuedBefore`. Returns their number, at most `limit`. */
  failOverdue(
    change: { readonly endpointId: string; readonly queuedBefore: number; readonly limit: number } & Timed,
  ): number;
  redeliver(change: { readonly endpointId: string; readonly deliveryId: string } & Timed): Delivery | null;
  /** Purges a slice of finished deliveries. Returns whether there is more to purge. */
  purgeDeliveries(change: Timed): boolean;
  /** Stores rows, and purges those before the minute `keepFrom`. */
  storeStatistics(change: { readonly rows: readonly StatisticsRow[]; readonly keepFrom: number } & Timed): null;
  /** Stores `now` as the time of the clock, as every group of writes does. */
  advanceClock(change: Timed): null;
  /** Stores items that another store exported. Returns the handles of sessions that were skipped. */
  importItems(change: ImportRequest): readonly string[];
}

/** Operations that read on the writer thread, which alone knows the unmerged data. They run after the commit. */
export interface ReadOperations {
  readRecordPage(request: RecordPageRequest): RecordLines | null;
  findReplay(request: Omit<IdempotentRequest, "response"> & Timed): Replay | null;
  listSessions(request: ListRequest): SessionPage;
  listStoredResponses(request: { readonly handle: string } & Timed): readonly StoredResponseItem[];
  exportPage(request: { readonly after: string | null } & Timed): ExportPage;
}

type Operations = WriteOperations & ReadOperations;
export type Kind = keyof Operations;

export type ParametersOf<K extends Kind> = Parameters<Operations[K]>[0];

export type Outcome<K extends Kind = Kind> = ReturnType<Operations[K]>;

/** A call of an operation: its kind and its parameters. */
export type Command<K extends Kind = Kind> = {
  [P in K]: { readonly kind: P } & ParametersOf<P>;
}[K];

export type Write = Command<keyof WriteOperations>;
export type Read = Command<keyof ReadOperations>;

const reads = {
  readRecordPage: true,
  findReplay: true,
  listSessions: true,
  listStoredResponses: true,
  exportPage: true,
} satisfies Record<keyof ReadOperations, true>;
const readKinds: ReadonlySet<string> = new Set(Object.keys(reads));

/** Returns true if the command writes nothing. */
export function isRead(command: Command): command is Read {
  return readKinds.has(command.kind);
}

/** The result of `purgeExpired`. */
export interface PurgeOutcome extends PurgeResult {
  /** True if the index no longer contains entries of deleted sessions. The write-ahead log may still contain them. */
  readonly isIndexPurged: boolean;
}

/** A page of records. Each record is a line of JSON. */
export type RecordLines = Omit<RecordPage, "records"> & { readonly lines: readonly string[] };

/** A group of commands as JSON text, and texts whose many quotes would have to be escaped in JSON (`messages.ts`). */
export interface Group {
  readonly commands: string;
  /** The JSON texts of the changes of session data, in the order of their commands. */
  readonly texts: readonly string[];
  /** Lines that are stored before the commands; "" if there are none. */
  readonly lines: string;
  /** The time of the last of these lines, in Unix ms. */
  readonly linesAt: number;
}

/** The message with a `GroupResult`. */
export interface GroupReply {
  readonly result: string;
  /** The JSON texts of changed session data, in the order of their outcomes. */
  readonly texts: readonly string[];
}

/** The writer thread's reply to a group. */
export type GroupResult = WriteResult & {
  /** Whether the group has stored events. */
  readonly hasEvents?: true;
};

/** The result of the writes of a group. */
type WriteResult = { readonly kind: "committed"; readonly outcomes: readonly GroupOutcome[] } | FailedGroup;

/** The result of writes that were not committed, or perhaps not. */
export interface FailedGroup {
  /**
   * `failed`: nothing was stored. `unknown`: the group may or may not be stored, which only shows after a restart.
   * `dead`: the thread cannot open the data, and ends.
   */
  readonly kind: "failed" | "unknown" | "dead";
  /** The fault of the data's files, if it is the cause, otherwise `null`. */
  readonly fault: StoreOpenFault | null;
  /** How the data's files were displaced, if this is the cause, otherwise `null`. */
  readonly displaced: Displacement | null;
  readonly message: string;
  /** Outcomes of reads; `null` for writes. */
  readonly outcomes: readonly (GroupOutcome | null)[];
}

/** The failure of a single command. The other commands of its group are not affected. */
export interface Failure {
  readonly failure: string;
}

export type GroupOutcome = Outcome | Failure;

/** Returns true if the outcome is the failure of a single command. */
export function isFailure(outcome: GroupOutcome): outcome is Failure {
  return typeof outcome === "object" && outcome !== null && "failure" in outcome;
}
