import type { Clock } from "../runtime/clock.ts";
import { Refusal } from "../session/errors.ts";
import { handleOf } from "../session/id.ts";
import type { Scope } from "../session/permissions.ts";
import { mayBeSetAside } from "../session/provisional.ts";
import type { RequestRecord, SentRecords } from "../session/record.ts";
import type { IdempotencyStore } from "../store/ports/idempotency.ts";
import type { RecordStore } from "../store/ports/records.ts";
import { type Idempotent, type RequestsInProgress, responseOf } from "./idempotent-requests.ts";
import { type MaybePromise, type OpenedSession, type SessionService, whenReady } from "./sessions.ts";

/** Handlers that count recorded requests, for the metrics. */
export interface RecordingEvents {
  recorded(sent: SentRecords): void;
  recordsLost(records: number): void;
}

/** Whether the first record of a visitor is stored when the visitor comes back, or always at once. */
export type VisitorPolicy = "returning" | "always";

/** The parts that recording works with. */
export interface RecordingParts {
  readonly store: RecordStore & Pick<IdempotencyStore, "findReplay">;
  readonly service: Pick<SessionService, "use" | "openUnchanged">;
  readonly inProgress: RequestsInProgress;
  readonly clock: Clock;
  readonly storeVisitors: VisitorPolicy;
  readonly events: RecordingEvents;
}

/**
 * Records requests in sessions (contract.md#request-records). The records have already been validated. All methods
 * refuse with `unavailable` if the store cannot be used, unless they never refuse.
 */
export class RequestRecorder {
  readonly #store: RecordingParts["store"];
  readonly #sessions: RecordingParts["service"];
  readonly #inProgress: RequestsInProgress;
  readonly #clock: Clock;
  /** Whether the record of a visitor's first request is set aside. */
  readonly #setsAside: boolean;
  readonly #events: RecordingEvents;

  constructor(parts: RecordingParts) {
    this.#store = parts.store;
    this.#sessions = parts.service;
    this.#inProgress = parts.inProgress;
    this.#clock = parts.clock;
    this.#setsAside = parts.storeVisitors === "returning";
    this.#events = parts.events;
  }

  /**
   * Records requests in the live session with this id within the scope, and renews the session. If `durable`, the
   * records are stored when the promise is fulfilled; otherwise within 100 ms. Refuses with `session-not-found`, and
   * then records nothing.
   */
  record(id: string, sent: SentRecords, scope: Scope, durable: boolean): MaybePromise<void> {
    const { records } = sent;
    return whenReady(this.#sessions.use(id, scope), (session) => {
      if (session === undefined) throw new Refusal({ code: "session-not-found" });
      const now = this.#clock();
      const count = () => this.#events.recorded(sent);
      if (durable) return this.#store.storeRecords({ handle: session.handle, records, now }).then(count);
      if (this.#store.enqueueRecords(session.handle, records, now)) return count();
      const message = "the queue of records is full: the store is slower than they come, or cannot write";
      throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, new Error(message));
    });
  }

  /**
   * Records requests durably for a request with an idempotency key. A replay returns the stored response, as with
   * `SessionService.createOnce`. Refuses as `record` and `createOnce` do.
   */
  recordOnce(
    id: string,
    sent: SentRecords,
    scope: Scope,
    { key, fingerprint, response }: Idempotent<void>,
  ): Promise<string> {
    return this.#inProgress.once(key, async () => {
      const session = await this.#sessions.use(id, scope);
      if (session === undefined) {
        // The session may have ended since the first request. A replay still gets the stored response.
        const replay = await this.#store.findReplay({ key, fingerprint }, this.#clock());
        if (replay === undefined) throw new Refusal({ code: "session-not-found" });
        return responseOf(replay);
      }
      const idempotent = { key, fingerprint, response: response() };
      const request = { handle: session.handle, records: sent.records, now: this.#clock(), idempotent };
      const result = await this.#store.storeRecords(request);
      if (result.outcome !== "recorded") return responseOf(result);
      this.#events.recorded(sent);
      return idempotent.response;
    });
  }

  /**
   * Sets the record of the request that created this session aside (contract.md#provisional-records). Does not use the
   * session. Returns false, and then has done nothing, if the caller must record it like any other: if these are several
   * records, if the session is older than a minute, if there is no live session with this id within the scope, or if
   * the setting `storeVisitors` is `always`. A repetition with the same idempotency key has no effect while the record
   * is set aside. Refuses with `idempotency-key-reused`.
   */
  async setAside(
    id: string,
    sent: SentRecords,
    scope: Scope,
    idempotent: Pick<Idempotent<void>, "key" | "fingerprint"> | undefined,
  ): Promise<boolean> {
    const [record, ...others] = sent.records;
    if (!this.#setsAside || record === undefined || others.length > 0) return false;
    const opened = await this.#sessions.openUnchanged(id, scope);
    const now = this.#clock();
    if (opened === undefined || !mayBeSetAside(opened.session.createdAt, now)) return false;
    const { session } = opened;
    const result = await this.#store.setAside({ session, record, now, idempotent, isNewSession: false });
    if (result === "key-reused") throw new Refusal({ code: "idempotency-key-reused" });
    if (result === "accepted") this.#events.recorded(sent);
    return true;
  }

  /**
   * Records the request for which `create` has just returned a session. The record is set aside, unless the setting
   * `storeVisitors` is `always`. Never refuses, as `recordBestEffort`.
   */
  recordFirst(opened: OpenedSession, record: RequestRecord): void {
    if (!this.#setsAside) {
      this.recordBestEffort(opened, record);
      return;
    }
    const { session } = opened;
    const result = this.#store.setAside({ session, record, now: record.startedAt, isNewSession: true });
    const count = () => this.#events.recorded({ records: [record], isFromVisitor: false });
    if (result instanceof Promise) result.then(count, () => this.#events.recordsLost(1));
    else count();
  }

  /**
   * Records a request that begins now, in a session that `use` or `create` has just returned. Never refuses: if the
   * store cannot accept the record, the record is lost and counted as lost.
   */
  recordBestEffort({ id }: Pick<OpenedSession, "id">, record: RequestRecord): void {
    // The id has just been read, so it is in the processor's cache. The handle in the session is not.
    const records = [record];
    if (this.#store.enqueueRecords(handleOf(id), records, record.startedAt)) {
      this.#events.recorded({ records, isFromVisitor: false });
    } else this.#events.recordsLost(1);
  }
}
