/** Reason why a store cannot be opened. */
export type StoreOpenFault =
  /** Another process uses the store. */
  | "in-use"
  /** The stored data have a schema that this release does not know, or do not belong to this service. */
  | "unknown-schema"
  /** The SQLite library has a defect that can damage a database. */
  | "unsafe-library"
  /** Data are missing: the import of another store is not complete, or some of the stored data are gone. */
  | "incomplete"
  /** The content of a file is damaged. */
  | "damaged"
  /** The store is empty, and the command needs existing data. */
  | "missing"
  /** The files cannot be read or written, or Redis cannot be used. */
  | "inaccessible";

/** The error for a store that cannot be opened. Its message says what the operator should do. */
export class StoreOpenError extends Error {
  override readonly name = "StoreOpenError";
  readonly fault: StoreOpenFault;

  constructor(fault: StoreOpenFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.fault = fault;
  }
}
