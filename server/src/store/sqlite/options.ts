import type { Lifetimes } from "../../session/lifetime.ts";
import type { StoreEvents } from "../ports/lifecycle.ts";
import type { HeldFiles } from "./files/held-files.ts";

/** Options of the embedded engine; times in milliseconds. */
export interface SqliteStoreOptions {
  readonly dataDir: string;
  readonly lifetimes: Lifetimes;
  /** The maximum number of records in a session; the oldest are dropped. */
  readonly maxRecords: number;
  /** How long the data of a session is kept after its end. */
  readonly retention: number;
  /** The number of changes after which the secondary index is merged; for tests. */
  readonly mergeIndexAt?: number | undefined;
  /** The maximum number of sessions in the cache of the serving thread. */
  readonly cacheSessions: number;
  /** The maximum number of changes that wait for the disk; further ones are refused. */
  readonly maxPending: number;
  /** How long a change waits for the disk before it is refused. */
  readonly timeout: number;
  readonly events: StoreEvents;
  /** The current time in Unix ms, for a new database. */
  readonly now: number;
}

type Common = "lifetimes" | "maxRecords" | "retention" | "mergeIndexAt";

/** Options of the writer thread, passed to it as plain data. */
export interface WriterOptions extends Pick<SqliteStoreOptions, Common> {
  readonly file: string;
  /** The files that the server holds open while it runs. */
  readonly files: HeldFiles;
}
