/** Port: the engine itself: time, purging, health, closing. */
export interface LifecycleStore {
  /** Returns the latest time (Unix ms) that was stored: the clock starts no earlier. */
  clockHighWaterMark(): Promise<number>;
  /** Stores the time `now`. Also proves that the store can write: rejects if it cannot. */
  advanceClock(now: number): Promise<void>;

  /**
   * Purges a small batch of what has expired or whose retention is over. Called again and again while the service runs; an
   * engine that expires data by itself has nothing to do. Visits of expired sessions are free without it. Sessions are
   * purged by `sessionTime` if that is earlier than `now`, as it is while the clock may be wrong.
   */
  purgeExpired(now: number, sessionTime?: number): Promise<PurgeResult>;

  /** Returns the state of the engine, for `/metrics` and `/readyz`. */
  status(): StoreStatus;
  /** Completes every change that was accepted, and frees everything. */
  close(): Promise<void>;
}

/** Result of purging one batch. */
export interface PurgeResult {
  /** Number of sessions that were found expired, each counted once. Their visits are free now. */
  readonly expired: number;
  /** Whether there is more to purge right away. */
  readonly hasMore: boolean;
}

/** State of the engine. */
export interface StoreStatus {
  /** Whether the last attempt to write succeeded. */
  readonly writable: boolean;
  /** Number of changes that wait for the engine. */
  readonly pending: number;
  /** Bytes on disk, or in the memory of a server; `undefined` if the engine may not query it. */
  readonly bytes: number | undefined;
}

/** Events that an engine reports. Every function is called on the serving thread and must be quick. */
export interface StoreEvents {
  /** `changes` were committed in one group, which took `milliseconds`. */
  committed(changes: number, milliseconds: number): void;
  /** A write failed; writes are tried again with the next change. */
  failed(error: unknown): void;
  /** Queued records were lost. */
  recordsLost(records: number): void;
  /**
   * API keys or secrets were changed, perhaps by another process: read them again. If the promise is
   * rejected, the call is repeated within a second, until it is fulfilled.
   */
  credentialsChanged(): void | Promise<void>;
  /** Reports something that the operator should know; the message says what to do. */
  noticed(level: "info" | "warn" | "error", message: string): void;
  /**
   * With `true`: the stored data are not those that this process works with, every call is refused,
   * and nothing may be signed with the secrets that were read. With `false`: they are the same again.
   */
  suspended(isSuspended: boolean): void;
}
