import type { Scope } from "../../../session/permissions.ts";
import type { Session } from "../../../session/session.ts";
import type { RecordPage } from "../../../session/timeline.ts";
import type { AuditEntry } from "../../audit-chain.ts";
import type { StoreOpenFault } from "../../open-error.ts";
import type { ApiKey, ApiKeyUse } from "../../ports/credentials.ts";
import type { IdempotentRequest, Replay, StoredResponseItem } from "../../ports/idempotency.ts";
import type { PurgeResult } from "../../ports/lifecycle.ts";
import type { RecordPageRequest } from "../../ports/records.ts";
import type { ListRequest, SessionPage } from "../../ports/search.ts";
import type { AssociationRequest, AssociationResult, CreateResult } from "../../ports/sessions.ts";
import type { ExportPage, ImportRequest } from "../../ports/transfer.ts";
import type { Displacement } from "../files/file-guard.ts";

/*
 * Messages between the serving thread and the writer thread. They travel as JSON text, which both runtimes pass
 * several times faster than objects; so parameters and results consist of JSON's values. All times are Unix ms.
 */

interface Timed {
  readonly now: number;
}

/** Writes. Each runs in the transaction of its group. */
export interface WriteOperations {
  create(
    change: { readonly session: Session; readonly idempotent?: IdempotentRequest } & Timed,
  ): CreateResult | Replay;
  associate(change: AssociationRequest): AssociationResult;
  /** Returns the session as it is stored now; `null` if it was no longer live. */
  renew(change: { readonly id: string } & Timed): Session | null;
  /** Returns the session as it ended; `null` if there was no live one in the scope. */
  end(change: { readonly id: string; readonly scope: Scope } & Timed): Session | null;
  /** `lines` are lines of the journal. `id` is their session if the request has an idempotency key. */
  storeRecords(
    change: {
      readonly id?: string;
      readonly lines: string;
      readonly idempotent?: IdempotentRequest;
    } & Timed,
  ): { readonly outcome: "recorded" } | Replay;
  /** Returns tombstones of the sessions whose ids alone would describe live sessions. */
  eraseSessions(change: { readonly ids: readonly string[] } & Timed): readonly Session[];
  eraseCustomerApiKeys(change: { readonly customerId: string } & Timed): number;
  /** Does a slice of housekeeping. Sessions are purged by `sessionTime`, which is not after `now`. */
  purgeExpired(change: { readonly sessionTime: number } & Timed): PurgeOutcome;
  /**
   * Removes a slice of the index entries of deleted sessions. `upTo` is the last session to include; `null` in a
   * first call, which returns it.
   */
  purgeIndex(change: { readonly upTo: number | null } & Timed): {
    readonly upTo: number;
    readonly isDone: boolean;
  };
  /** Returns false if the entry does not follow the last one. */
  appendAuditEntry(change: { readonly entry: AuditEntry } & Timed): boolean;
  addApiKey(change: { readonly key: ApiKey } & Timed): null;
  revokeApiKey(change: { readonly id: string } & Timed): boolean;
  replaceApiKey(
    change: { readonly id: string; readonly successor: ApiKey; readonly expiresAt: number } & Timed,
  ): boolean;
  recordApiKeyUse(change: { readonly uses: readonly ApiKeyUse[] } & Timed): null;
  addSecret(change: { readonly base64: string } & Timed): null;
  /** Persists `now`, as every group of writes does. */
  advanceClock(change: Timed): null;
  /** Returns the ids of skipped sessions. */
  importItems(change: ImportRequest): readonly string[];
}

/** Reads that need the writer, which alone knows what is not merged yet. They run after the commit of their group. */
export interface ReadOperations {
  readRecordPage(request: RecordPageRequest): RecordLines | null;
  findReplay(request: Omit<IdempotentRequest, "response"> & Timed): Replay | null;
  listSessions(request: ListRequest): SessionPage;
  listStoredResponses(request: { readonly id: string } & Timed): readonly StoredResponseItem[];
  exportPage(request: { readonly after: string | null } & Timed): ExportPage;
}

type Operations = WriteOperations & ReadOperations;
export type Kind = keyof Operations;

export type ParametersOf<K extends Kind> = Parameters<Operations[K]>[0];

export type Outcome<K extends Kind = Kind> = ReturnType<Operations[K]>;

/** A call of an operation. */
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
  /** The index no longer contains deleted sessions; the write-ahead log may. */
  readonly isIndexPurged: boolean;
}

/** A page of records as lines. */
export type RecordLines = Omit<RecordPage, "records"> & { readonly lines: readonly string[] };

/**
 * A group of commands. Buffered records are separate from the commands, since their many quotes would be escaped
 * in the JSON text.
 */
export interface Group {
  readonly commands: string;
  /** Lines that are stored before the commands; "" if there are none. */
  readonly lines: string;
  /** The time of the last of these lines, in Unix ms. */
  readonly linesAt: number;
}

/** The writer thread's reply to a group. */
export type GroupResult =
  | { readonly kind: "committed"; readonly outcomes: readonly GroupOutcome[] }
  | {
      /**
       * `failed`: nothing was stored. `unknown`: the group may be found stored after a restart. `dead`: the
       * thread cannot open the data, and ends.
       */
      readonly kind: "failed" | "unknown" | "dead";
      /** The fault of the files, if that is the cause. */
      readonly fault: StoreOpenFault | null;
      /** Fault of the data's files, if that is the cause. */
      readonly displaced: Displacement | null;
      readonly message: string;
      /** Outcomes of reads; `null` for writes. */
      readonly outcomes: readonly (GroupOutcome | null)[];
    };

/** The failure of a single command, in a group of which the rest was committed. */
export interface Failure {
  readonly failure: string;
}

export type GroupOutcome = Outcome | Failure;

/** Returns true if a command failed by itself. */
export function isFailure(outcome: GroupOutcome): outcome is Failure {
  return typeof outcome === "object" && outcome !== null && "failure" in outcome;
}
