import type { Role, Scope } from "../session/access.ts";
import type { IdField } from "../session/errors.ts";
import type { SessionFilter } from "../session/filter.ts";
import type { SigningSecret } from "../session/id.ts";
import type { RequestRecord } from "../session/record.ts";
import type { Identity, Session } from "../session/session.ts";
import type { Stretch } from "../session/timeline.ts";
import type { AuditEntry } from "./audit-chain.ts";
import type { Adoption, AnswerItem, Portion } from "./moving.ts";

/*
 * The port behind which sessions are kept. Every engine passes the same suite
 * (`test/store/store-contract.ts`) against the real thing.
 *
 * What an engine may take for granted:
 * - Session ids are authentic: whoever calls has verified them (`session/id.ts`), but for `recall`.
 *   An id of which nothing is stored is therefore an anonymous session that lives by its id alone
 *   (contract rule 8).
 * - Ids of callers are valid (`session/caller-ids.ts`), and `now` never runs backwards.
 *
 * What every engine promises:
 * - A change is atomic, per session and per visit, also between processes: of two requests that
 *   cannot both win exactly one does (contract rules 1 and 2).
 * - A promise that is fulfilled with a stored change has outlived the process, and the power as far
 *   as the engine documents (contract rule 7). What is not durable yet is never shown to a reader.
 * - A call that cannot be carried out rejects with `Refusal` `unavailable`, and then nothing was
 *   changed, unless its `outcome` is `unknown`. Later calls succeed by themselves once it can.
 * - Sweeping what has expired never holds up a request.
 * - What is told of a session (its ids, its records) is kept for the retention after its end, and as
 *   good as gone from then on, swept or not.
 */

/**
 * A request that is to be carried out once, however often it is sent: its key, and what it is told
 * when it is carried out. Kept for `ANSWER_LIFE`, in the same step as the change itself.
 */
export interface Once {
  /** What tells it from all others, of whoever sends them. */
  readonly key: string;
  /** What tells it from another request under the same key. */
  readonly request: string;
  readonly answer: string;
}

/**
 * How long (ms) the first answer to a request with a key is kept, unless what is told of its session is
 * kept for a shorter time.
 */
export const ANSWER_LIFE = 24 * 60 * 60 * 1000;

/** A request that came before under its key. Nothing was changed. */
export type Repetition =
  | { readonly outcome: "repeated"; readonly answer: string }
  /** It was another request. */
  | { readonly outcome: "key-reused" };

/** What came of storing a new session. */
export type Creation =
  | { readonly outcome: "created" }
  /** Another live session holds the visit (contract rule 2). Nothing was stored. */
  | { readonly outcome: "conflict"; readonly field: IdField }
  /** Something else is stored under this id. Nothing was stored: take another id. */
  | { readonly outcome: "id-taken" };

/** A request to associate ids with a session. */
export interface AssociationRequest {
  /** The session's id. */
  readonly id: string;
  readonly ids: Identity;
  /** Checked in the same step as the change, so that no race shows somebody else's session. */
  readonly scope: Scope;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What came of associating. */
export type AssociationResult =
  | { readonly outcome: "associated"; readonly session: Session }
  /** One of the ids has another value, or its visit another live session. Nothing was changed. */
  | { readonly outcome: "conflict"; readonly field: IdField }
  /** No live session of this id within the scope. */
  | { readonly outcome: "absent" };

/** Requests that were made in a session, to be stored before they are reported as stored. */
export interface Recording {
  /** The session's id. */
  readonly id: string;
  readonly records: readonly RequestRecord[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly once?: Once;
}

/** Asks for a stretch of a session's records. */
export interface StretchRequest {
  /** The session's id. */
  readonly id: string;
  readonly scope: Scope;
  /** The sequence after which the stretch begins. */
  readonly after: number;
  /** At most so many records; fewer when they are long. */
  readonly limit: number;
  readonly now: number;
}

/** Asks for a page of sessions, newest first. */
export interface ListRequest {
  readonly filter: SessionFilter;
  /** Where the page begins: `next` of the page before; `null`: with the newest. */
  readonly after: string | null;
  /** At most so many sessions. Fewer, none even, where few of many match: a page is a bounded work. */
  readonly limit: number;
  readonly now: number;
  /** Also those whose retention is over, if they have not been let go of yet: to erase them. */
  readonly withOutdated?: boolean;
}

/** A page of sessions. */
export interface SessionPage {
  /**
   * In the order of their ids' bytes, the newest first, whatever became of them since. Those of which
   * something is stored: blank ones only while they live, or while there are records of them.
   */
  readonly sessions: readonly Session[];
  /**
   * Where the next page begins: `placeOf` the last session that was looked at, so what comes or goes
   * meanwhile moves nothing. `null` after the last page. Any place will do, of whatever session.
   */
  readonly next: string | null;
  /**
   * How many sessions are kept of the one id that is all the filter asks for, up to `MAX_COUNTED`,
   * which stands for so many or more; of all, where it asks for nothing. Kept up to date, not counted
   * one by one: some that are over and about to be let go may be among them. `null` for other filters,
   * and on later pages.
   */
  readonly total: number | null;
}

/** Beyond so many, sessions of one id are not counted. */
export const MAX_COUNTED = 10_000;
/** The most sessions that `erase` takes. */
export const MAX_ERASED = 64;

/** A key for the mode `key`: what is kept of it. */
export interface Key {
  /** Public name, shown in lists and logs. */
  readonly id: string;
  /** SHA-256 of the secret key, hexadecimal. The key itself is kept nowhere. */
  readonly hash: string;
  readonly role: Role;
  readonly customerId: string | null;
  readonly agentId: string | null;
  /** Milliseconds since 1970, as the times that follow. */
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  /** About when a caller last showed it (`keysUsed`); `null`: nobody did yet. */
  readonly lastUsedAt: number | null;
  /** Id of the key that replaces this one (`replaceKey`); `null` if it was not rotated. */
  readonly successorId: string | null;
}

/** That a caller showed a key. */
export interface KeyUse {
  /** The key's id. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A secret under which session ids are signed. */
export type Secret = SigningSecret;

/** How the engine is doing, for `/metrics` and `/readyz`. */
export interface StoreStatus {
  /** Whether the last attempt to write succeeded. */
  readonly writable: boolean;
  /** Changes that wait for the engine now. */
  readonly pending: number;
  /** Bytes on disk, or in the memory of a server; `undefined` if the engine may not query it. */
  readonly bytes: number | undefined;
}

/** What an engine reports while it works; each is called on the serving thread and must be quick. */
export interface StoreEvents {
  /** `changes` were committed in one group, which took `milliseconds`. */
  committed(changes: number, milliseconds: number): void;
  /** A write failed; writes are tried again with the next change. */
  failed(error: unknown): void;
  /** Records that had been accepted are lost. */
  recordsLost(records: number): void;
  /**
   * Keys or secrets were changed, maybe by another process: what was read of them is out of date. Where
   * the promise is rejected, it is told again within a second, until it is fulfilled.
   */
  changedElsewhere(): void | Promise<void>;
  /** Reports something that the operator should know; the message says what to do. */
  noticed(level: "info" | "warn" | "error", message: string): void;
  /**
   * Reports that the stored data are not those that this process works with (`true`): every call is refused,
   * and nothing may be signed with the secrets that were read. `false`: they are the same again.
   */
  suspended(isSuspended: boolean): void;
}

/** What a slice of the sweep did. */
export interface Slice {
  /** Sessions that were found expired, each once: what they held is free now. */
  readonly expired: number;
  /** There is more to do right away. */
  readonly isFull: boolean;
}

/** The port. Times are milliseconds since 1970. */
export interface SessionStore {
  /**
   * The session of this id if it is at hand in memory, without looking any further. The one call
   * that takes any text: nothing is at hand under an id that was not verified before.
   */
  recall(text: string): Session | undefined;

  /**
   * The session of this id, live or not: as it is stored, or else as its id alone describes it.
   * Without a promise where none is needed: retrieving is the hottest path there is.
   */
  find(id: string): Session | Promise<Session>;

  /** Stores a new session with its ids; with `once` also one without, of which only the answer is kept. */
  create(session: Session, now: number, once?: Once): Promise<Creation | Repetition>;

  /** Associates ids with the session, which may not be stored yet (contract rules 1, 2 and 8). */
  associate(request: AssociationRequest): Promise<AssociationResult>;

  /**
   * Prolongs a session that was used at `now` and returns at once: stored soon after, or tried again
   * with a later use. Gives the session as `find` will show it from now on.
   */
  renew(session: Session, now: number): Session;

  /**
   * Ends a session for good and frees its visit. False when there is no live one of this id within the
   * scope, by default everyone's.
   */
  end(id: string, now: number, scope?: Scope): Promise<boolean>;

  /**
   * Accepts records of the session and returns at once: stored within 100 ms, or as soon as the store
   * can. False when too much waits already: none was accepted then. Records of a session keep
   * the order in which they were accepted, and their place before and after its associations.
   */
  accept(id: string, records: readonly RequestRecord[], now: number): boolean;

  /** Stores records, after those that were accepted before. */
  record(recording: Recording): Promise<{ readonly outcome: "recorded" } | Repetition>;

  /** What became of an earlier request under this key; `undefined` when there was none. */
  repetition(once: Omit<Once, "answer">, now: number): Promise<Repetition | undefined>;

  /**
   * A stretch of the records of a session, live or over, with all that were accepted before.
   * `undefined` when there is no such session within the scope or nothing of it is left.
   */
  stretch(request: StretchRequest): Promise<Stretch | undefined>;

  /**
   * A page of the sessions that are or were, within their retention, as far as something of them is
   * stored. One of which nothing is stored but records may be missing for some seconds.
   */
  list(request: ListRequest): Promise<SessionPage>;

  /** The answers to keyed requests that are kept and tell of the session: it was created or recorded in. */
  answersAbout(id: string, now: number): Promise<readonly AnswerItem[]>;

  /**
   * Ends these sessions, `MAX_ERASED` at the most, and lets go of everything that is kept of them: ids,
   * records, what was accepted and waits, the history, visits, answers to keyed requests. Nothing that
   * comes for them later is kept. What stays is, as long as the id alone would describe a session, that
   * there is none. When the promise is fulfilled nothing of it can be found in what the engine keeps,
   * its files included, but for copies that others made and as soon as nobody makes one; when it
   * rejects, repeating it completes it.
   */
  erase(ids: readonly string[], now: number): Promise<void>;

  /**
   * Completes the erasure of a customer, after their sessions: removes the customer's API keys, including revoked
   * ones, as `erase` does, and index entries left by sessions deleted before. Returns the number of keys.
   */
  eraseKeys(customerId: string, now: number): Promise<number>;

  /** Puts an entry at the end of the audit trail. False when another one has come to stand there. */
  appendAudit(entry: AuditEntry): Promise<boolean>;
  /** The last entry of the audit trail; `undefined` while there is none. */
  lastAudit(): Promise<AuditEntry | undefined>;
  /** Entries of the audit trail, `limit` at the most, from the one after the sequence `after` on. */
  audit(after: number, limit: number): Promise<readonly AuditEntry[]>;

  /** All keys, revoked and expired ones too, oldest first. */
  keys(): Promise<readonly Key[]>;
  /** Stores a new key; its id and hash are new. */
  addKey(key: Key): Promise<void>;
  /** Revokes a key. False when there is none of this id or it was revoked before. */
  revokeKey(id: string, now: number): Promise<boolean>;
  /**
   * Stores `successor`, a new key, and sets it as the successor of the key `id`, which expires at `expiresAt` or
   * earlier: all or nothing. Returns false if there is no key with this id, or if it was already revoked or
   * replaced.
   */
  replaceKey(id: string, successor: Key, expiresAt: number): Promise<boolean>;
  /**
   * Notes when keys were last used, as far as that is later than what is noted; ids of no key are
   * passed over. Called rarely, with what has gathered: a use that is not noted is no harm.
   */
  keysUsed(uses: readonly KeyUse[]): Promise<void>;

  /** The secrets, newest first; at least one, made when the store is new. */
  secrets(): Promise<readonly Secret[]>;
  /** Puts a new secret in front. Ids signed under older ones stay valid. */
  addSecret(secret: Secret): Promise<void>;

  /** The latest time that this store has seen: no clock over it may start earlier. */
  floor(): Promise<number>;
  /** Notes that `now` has been, and with it proves that the store can write: rejects if it cannot. */
  touch(now: number): Promise<void>;

  /**
   * Does a small slice of the housekeeping: lets go of what has expired, and of what was kept for the
   * retention. Called again and again while the service runs; an engine that forgets by itself has
   * nothing to do. Visits of expired sessions are free without it. Sessions are swept by `sweepTime` if it is
   * earlier than `now`, as it is while the clock may be wrong.
   */
  sweep(now: number, sweepTime?: number): Promise<Slice>;

  /**
   * A small part of everything that is kept at `now`, for another store to adopt: from `after` on,
   * which an earlier portion named, or from the beginning. What changes meanwhile may be missed, or
   * come twice; what does not change between the first and the last portion is told whole.
   */
  portion(after: string | null, now: number): Promise<Portion>;
  /**
   * Keeps items of another store as they are, and what holds with them (claims of visits, expiry).
   * They may come again and late: what is stored here in a later state stays. For a store on which no
   * server runs. Gives the ids of sessions that have no place here, which are left out.
   */
  adopt(adoption: Adoption): Promise<readonly string[]>;
  /** The note of the latest adoption; `null` when no move into this store is under way. */
  move(): Promise<string | null>;

  status(): StoreStatus;
  /** Finishes what was taken on and lets go of everything. Rejects nothing that was taken on. */
  close(): Promise<void>;
}
