import type { Lifetimes } from "../../session/lifetime.ts";
import type { StoreEvents } from "../ports/lifecycle.ts";
import type { HeldFiles } from "./files/held-files.ts";

/** Options of the SQLite engine. Durations are in milliseconds. */
export interface SqliteStoreOptions {
  readonly dataDir: string;
  readonly lifetimes: Lifetimes;
  /** The maximum number of records of a session. When there are more, the oldest are dropped. */
  readonly maxRecords: number;
  /** How long a session's ids and timeline are kept after it has ended or expired. */
  readonly retention: number;
  /** How long events are kept in the event log, at most `retention`; `null` if no events are stored. */
  readonly eventRetention: number | null;
  /** The number of logged changes at which a merge of the secondary index begins. Only tests set it. */
  readonly mergeIndexAt?: number | undefined;
  /** The maximum number of sessions in the cache of the serving thread. */
  readonly cacheSessions: number;
  /** The maximum number of operations that wait to be sent to the writer thread. Further ones are refused. */
  readonly maxPending: number;
  /** How long the caller of an operation waits for its outcome before the operation is refused. */
  readonly timeout: number;
  readonly events: StoreEvents;
  /** The current time in Unix ms. A new database stores it as the time of its clock and of its first secret. */
  readonly now: number;
}

type Common = "lifetimes" | "maxRecords" | "retention" | "eventRetention" | "mergeIndexAt";

/** Options of the writer thread. They are sent to the thread, so they are plain data. */
export interface WriterOptions extends Pick<SqliteStoreOptions, Common> {
  readonly file: string;
  /** The files of the data directory, which the server holds open while it runs. */
  readonly files: HeldFiles;
}
