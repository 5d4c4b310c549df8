/** State in memory that agrees with the database. The writer calls `commit` or `rollback` after each transaction. */
export interface Transactional {
  /** Keeps the changes of the transaction, which is on the disk now. */
  commit(): void;
  /** Undoes the changes of the transaction, which was rolled back. */
  rollback(): void;
}

/** A table that keeps no state in memory, and so has nothing to do at the end of a transaction. */
export class Stateless implements Transactional {
  commit(): void {}
  rollback(): void {}
}
