/** State in memory that follows the writer's transactions. The writer calls one method after each of them. */
export interface Transactional {
  /** Takes over the changes of the transaction, which is on the disk now. */
  commit(): void;
  /** Forgets the changes of the transaction, which was rolled back. */
  rollback(): void;
}

/** A table that keeps no state in memory, and so has nothing to do at the end of a transaction. */
export class Stateless implements Transactional {
  commit(): void {}
  rollback(): void {}
}
