import type { Scope } from "../../session/permissions.ts";
import type { Session } from "../../session/session.ts";
import type { Life } from "../../session/timeline.ts";
import type { AuditEntry } from "../audit-chain.ts";
import type { StoreOpenFault } from "../open-error.ts";
import type { ApiKey, ApiKeyUse } from "../ports/credentials.ts";
import type { IdempotentRequest, Replay, StoredResponseItem } from "../ports/idempotency.ts";
import type { PurgeResult } from "../ports/lifecycle.ts";
import type { RecordPageRequest } from "../ports/records.ts";
import type { ListRequest, SessionPage } from "../ports/search.ts";
import type { AssociationRequest, AssociationResult, CreateResult } from "../ports/sessions.ts";
import type { ExportPage, ImportRequest } from "../ports/transfer.ts";

/**
 * What the serving thread asks of the writer thread. Changes travel in groups as JSON text, which
 * both runtimes hand over several times faster than objects; so they are made of JSON's values.
 */
export type Change =
  | {
      readonly kind: "create";
      readonly session: Session;
      readonly now: number;
      readonly once?: IdempotentRequest;
    }
  /** `lines` are those of the journal (`journal-lines.ts`). */
  | {
      readonly kind: "record";
      /** The session, where it is one and there is `once`. */
      readonly id?: string;
      readonly lines: string;
      readonly now: number;
      readonly once?: IdempotentRequest;
    }
  /** Changes nothing: it is asked here because the writer alone knows what it has not merged yet. */
  | ({ readonly kind: "stretch" } & RecordPageRequest)
  /** Changes nothing either. */
  | {
      readonly kind: "repetition";
      readonly key: string;
      readonly fingerprint: string;
      readonly now: number;
    }
  /** Changes nothing either. */
  | { readonly kind: "portion"; readonly after: string | null; readonly now: number }
  /** These neither. */
  | ({ readonly kind: "list" } & ListRequest)
  | { readonly kind: "answersAbout"; readonly id: string; readonly now: number }
  | ({ readonly kind: "adopt" } & ImportRequest)
  | ({ readonly kind: "associate" } & AssociationRequest)
  | { readonly kind: "renew"; readonly id: string; readonly now: number }
  | { readonly kind: "end"; readonly id: string; readonly now: number; readonly scope: Scope }
  | { readonly kind: "erase"; readonly ids: readonly string[]; readonly now: number }
  | { readonly kind: "eraseKeys"; readonly customerId: string; readonly now: number }
  | { readonly kind: "appendAudit"; readonly entry: AuditEntry; readonly now: number }
  | { readonly kind: "touch"; readonly now: number }
  /** `sweepTime`: the time by which sessions are swept, not after `now`. */
  | { readonly kind: "sweep"; readonly now: number; readonly sweepTime: number }
  /**
   * Removes a slice of the index entries of deleted sessions. `upTo` is the last session to include;
   * `null` in a first call, which returns it.
   */
  | { readonly kind: "purge"; readonly upTo: number | null; readonly now: number }
  | { readonly kind: "addKey"; readonly key: ApiKey }
  | { readonly kind: "revokeKey"; readonly id: string; readonly now: number }
  | {
      readonly kind: "replaceKey";
      readonly id: string;
      readonly successor: ApiKey;
      readonly expiresAt: number;
      readonly now: number;
    }
  | { readonly kind: "keysUsed"; readonly uses: readonly ApiKeyUse[]; readonly now: number }
  | { readonly kind: "addSecret"; readonly base64: string; readonly now: number };

/** Those that only read: they go without a transaction. */
export type Read = Extract<
  Change,
  { kind: "stretch" | "repetition" | "portion" | "list" | "answersAbout" }
>;

const reads: ReadonlySet<string> = new Set<Read["kind"]>([
  "stretch",
  "repetition",
  "portion",
  "list",
  "answersAbout",
]);

/** Whether a change is none. */
export function isRead(change: Change): change is Read {
  return reads.has(change.kind);
}

/**
 * A group on its way to the writer. The backlog goes as it is, apart from the changes: within their
 * JSON each of its many quotes would be escaped, and taken apart again.
 */
export interface Group {
  /** The changes, an array in JSON. */
  readonly changes: string;
  /** What goes in front of them as one change `record`; "" when there is nothing. */
  readonly backlog: string;
  /** When the last of the backlog was accepted, milliseconds since 1970. */
  readonly backlogAt: number;
}

/** What came of a change, by its kind. */
export interface Outcomes {
  create: CreateResult | Replay;
  record: { readonly outcome: "recorded" } | Replay;
  stretch: StretchLines | null;
  repetition: Replay | null;
  portion: ExportPage;
  list: SessionPage;
  answersAbout: readonly StoredResponseItem[];
  adopt: readonly string[];
  associate: AssociationResult;
  /** The session as it is stored now; `null` when it was over before. */
  renew: Session | null;
  /** The session as it ended; `null` when there was no live one. */
  end: Session | null;
  /** The sessions that are kept as over, as their ids would describe some that live. */
  erase: readonly Session[];
  eraseKeys: number;
  /** False when it does not follow the last entry. */
  appendAudit: boolean;
  touch: null;
  sweep: SweepSlice;
  purge: { readonly upTo: number; readonly isDone: boolean };
  addKey: null;
  revokeKey: boolean;
  replaceKey: boolean;
  keysUsed: null;
  addSecret: null;
}

export type Outcome = Outcomes[Change["kind"]];

/** The result of a slice of the sweep, and whether the index of ids is cleared. */
export interface SweepSlice extends PurgeResult {
  readonly isCleared?: boolean;
}

/** A stretch of records as they are written; `null` where there is none. */
export interface StretchLines {
  readonly life: Life;
  readonly total: number;
  readonly dropped: number;
  readonly first: number;
  readonly lines: readonly string[];
}

/** What the writer thread answers to a group. */
export type GroupResult =
  | { readonly kind: "committed"; readonly outcomes: readonly GroupOutcome[] }
  /** Nothing of the group was stored (`failed`), or it may be found stored after a restart. */
  | {
      /** `dead`: the thread cannot open the data, and ends. */
      readonly kind: "failed" | "unknown" | "dead";
      /** What is wrong with the files, if that is the cause. */
      readonly fault: StoreOpenFault | null;
      /** What happened to the files of the data, if that is the cause. */
      readonly displaced: Displacement | null;
      readonly message: string;
      /** Of what only reads; `null` for the changes. */
      readonly outcomes: readonly (GroupOutcome | null)[];
    };

/** What can happen to the files of a running server: the path leads to another file or none, or the content was replaced. */
export type Displacement = "moved" | "overwritten";

/** A change that failed by itself, in a group of which the rest was committed. */
export interface Failure {
  readonly failure: string;
}

export type GroupOutcome = Outcome | Failure;
