/** Port: operation of the engine: time, purging, status, closing. */
export interface LifecycleStore {
  /** Returns the latest stored time (Unix ms). The clock of the server starts at this time or later. */
  clockHighWaterMark(): Promise<number>;
  /** Stores the time `now` (Unix ms). Rejects if the store cannot write, so it is also a test of the store. */
  advanceClock(now: number): Promise<void>;

  /**
   * Purges a small batch of sessions whose retention is over and of other expired data. The service calls this
   * repeatedly while it runs. An engine whose data expire by themselves does nothing. The visit of an expired session
   * is free even before the session is purged.
   *
   * Whether a session may be purged is decided at `sessionTime` instead of `now`, if `sessionTime` is earlier. The
   * service passes an earlier time while its clock may be wrong.
   */
  purgeExpired(now: number, sessionTime?: number): Promise<PurgeResult>;

  /** Returns the state of the engine, for `/metrics` and `/readyz`. */
  status(): StoreStatus;
  /** Completes all accepted changes, then closes files and connections. */
  close(): Promise<void>;
}

/** Result of purging one batch. */
export interface PurgeResult {
  /** Number of sessions that were found expired in this batch. Each session is counted once. */
  readonly expired: number;
  /** Whether sessions may have expired whose events are due, so that the next call must follow soon. */
  readonly isExpiring: boolean;
  /** Whether there is more to purge now. */
  readonly hasMore: boolean;
}

/** State of the engine. */
export interface StoreStatus {
  /** Whether the last attempt to write succeeded, and the stored data are those that the process knows. */
  readonly writable: boolean;
  /** Number of changes that are not completed yet. */
  readonly pending: number;
  /**
   * Number of completed changes whose index entries and events are still to be written; `undefined` if the engine writes
   * them with the change.
   */
  readonly unindexed: number | undefined;
  /** Size of the data in bytes, on disk or in the memory of Redis; `undefined` if the engine may not query it. */
  readonly bytes: number | undefined;
  /**
   * Number of the 256 shards of a Redis Cluster whose data were found to be lost within the last day. Always 0 with
   * SQLite and with one Redis server.
   */
  readonly lostShards: number;
  /**
   * Number of the 256 shards whose sessions may lack index entries since such a loss; 0 when all of them are written again.
   */
  readonly shardsToRepair: number;
}

/** Functions by which an engine reports events. Called on the serving thread, so each must return quickly. */
export interface StoreEvents {
  /** Reports that a group of changes was committed: the number of changes, and the duration of the commit. */
  committed(changes: number, milliseconds: number): void;
  /** Reports that a write failed. The next change is attempted all the same. */
  failed(error: unknown): void;
  /** Reports the number of queued records that were lost. */
  recordsLost(records: number): void;
  /** Reports the number of records that were set aside and are dropped, because their sessions were not used again. */
  recordsDropped(records: number): void;
  /**
   * Reports that API keys or secrets were changed, perhaps by another process, and must be read again. If the promise
   * is rejected, the engine calls this again within a second.
   */
  credentialsChanged(): void | Promise<void>;
  /** Reports something that the operator should know; the message says what to do. */
  noticed(level: "info" | "warn" | "error", message: string): void;
  /**
   * With `true`, reports that the stored data are gone or have been replaced by those of another store. The engine now
   * refuses every call, and the process must not sign session ids with the secrets that it has read. With `false`,
   * reports that the expected data are back.
   */
  suspended(isSuspended: boolean): void;
}
