import type { DatabaseSync } from "node:sqlite";
import { Refusal } from "../../../session/errors.ts";
import type { Session } from "../../../session/session.ts";
import { openForReading } from "../files/database.ts";
import { explained } from "../files/file-errors.ts";
import { createDataReader } from "../tables/data-table.ts";
import { createSessionReader } from "../tables/session-table.ts";
import type { GroupCommit } from "./group-commit.ts";

type Writer = Pick<GroupCommit, "isBusy" | "displaced">;

/** SQLite's page cache in KiB. It is small: sessions that are read often come from `SessionCache`. */
const PAGE_CACHE_KIB = 256;

/** The serving thread's connection, which only reads. */
export class StoredReader {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #readSession;
  readonly #readData;
  readonly #begin;
  readonly #commit;
  #isSnapshotHeld = false;

  constructor(file: string) {
    this.#file = file;
    this.#database = openForReading(file);
    this.#database.exec(`PRAGMA cache_size = ${-PAGE_CACHE_KIB}`);
    this.#readSession = createSessionReader(this.#database);
    this.#readData = createDataReader(this.#database);
    this.#begin = this.#database.prepare("BEGIN");
    this.#commit = this.#database.prepare("COMMIT");
  }

  /**
   * Returns the stored session of an id. While no group is under way, reads share one transaction. Otherwise each read
   * would take and free locks, which is a large part of its time.
   */
  findSession(id: string, writer: Writer): Session | undefined {
    return this.#readOne(writer, () => this.#readSession(id));
  }

  /** Returns the stored data of a handle as JSON text, in the same way as `findSession`; `undefined` if there are none. */
  findData(handle: string, writer: Writer): string | undefined {
    return this.#readOne(writer, () => this.#readData(handle));
  }

  #readOne<T>(writer: Writer, read: () => T): T {
    return this.read(() => {
      if (writer.displaced === "overwritten") throw new Error("the data was overwritten");
      if (!writer.isBusy && !this.#isSnapshotHeld) {
        this.#begin.run();
        this.#isSnapshotHeld = true;
      }
      return read();
    });
  }

  /** Ends the shared transaction. Call it before a group is sent: SQLite cannot reset a log that is being read. */
  releaseSnapshot(): void {
    if (!this.#isSnapshotHeld) return;
    this.#isSnapshotHeld = false;
    // SQLite may have ended the transaction by itself, after a disk error.
    if (this.#database.isTransaction) this.#commit.run();
  }

  /** Calls `work`. If it fails, throws the `Refusal` `unavailable`, as a failed write does. */
  read<T>(work: (database: DatabaseSync) => T): T {
    try {
      return work(this.#database);
    } catch (error) {
      const cause = explained(error, this.#file);
      throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
    }
  }

  close(): void {
    this.releaseSnapshot();
    this.#database.close();
  }
}
