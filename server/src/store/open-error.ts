/** Why a data directory cannot be opened. */
export type StoreOpenFault =
  /** Another server holds the directory. */
  | "in-use"
  /** Its schema is of a later release, or it is no database of this service. */
  | "unknown-schema"
  /** The SQLite library has a defect that can damage a database. */
  | "unsafe-library"
  /** Another store is being moved into it, and not all of it is there yet. */
  | "incomplete"
  /** The content of a file is damaged. */
  | "damaged"
  /** The store is empty, and the command needs existing data. */
  | "missing"
  /** The directory or a file in it cannot be read or written. */
  | "inaccessible";

/** A store that cannot be opened; the message says what the operator should do. */
export class StoreOpenError extends Error {
  override readonly name = "StoreOpenError";
  readonly fault: StoreOpenFault;

  constructor(fault: StoreOpenFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.fault = fault;
  }
}
