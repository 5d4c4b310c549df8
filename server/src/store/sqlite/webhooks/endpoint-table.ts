import type { DatabaseSync } from "node:sqlite";
import { type Endpoint, MAX_ENDPOINTS } from "../../../session/webhook.ts";
import { sqlOf } from "../statements.ts";
import { Stateless } from "../transactional.ts";

/** An endpoint as the writer needs it to change its queue. */
export interface EndpointRow {
  readonly number: number;
  readonly endpoint: Endpoint;
  readonly cursor: string | null;
  readonly erasures: number;
  readonly lastSequence: number;
}

/** The table `webhook_endpoints` on the writer's connection. */
export class EndpointTable extends Stateless {
  readonly #sql;

  constructor(database: DatabaseSync) {
    super();
    const sql = sqlOf(database);
    this.#sql = {
      count: sql`SELECT count(*) AS count FROM webhook_endpoints WHERE endpoint IS NOT NULL`,
      freeNumber: sql`SELECT min(number) + 1 AS number FROM (SELECT 0 AS number UNION SELECT number FROM webhook_endpoints)
         WHERE number + 1 NOT IN (SELECT number FROM webhook_endpoints)`,
      insert: sql`INSERT INTO webhook_endpoints (number, id, endpoint, cursor) VALUES (?, ?, ?, ?)`,
      find: sql`SELECT number, endpoint, cursor, erasures, last_sequence AS lastSequence FROM webhook_endpoints
         WHERE id = ? AND endpoint IS NOT NULL`,
      replace: sql`UPDATE webhook_endpoints SET endpoint = ?1, cursor = ?2 WHERE number = ?3`,
      remove: sql`UPDATE webhook_endpoints SET endpoint = NULL WHERE id = ? AND endpoint IS NOT NULL`,
      removed: sql`SELECT number FROM webhook_endpoints WHERE endpoint IS NULL LIMIT 1`,
      delete: sql`DELETE FROM webhook_endpoints WHERE number = ?`,
      numbers: sql`SELECT number FROM webhook_endpoints WHERE endpoint IS NOT NULL`,
      advance: sql`UPDATE webhook_endpoints SET cursor = ?1, last_sequence = ?2 WHERE number = ?3`,
      countPending: sql`UPDATE webhook_endpoints SET pending = pending + ?1 WHERE number = ?2`,
      noteErasure: sql`UPDATE webhook_endpoints SET erasures = erasures + 1`,
    };
  }

  /** Stores a new endpoint. Returns false if there are as many as are allowed. */
  add(endpoint: Endpoint): boolean {
    if (Number(this.#sql.count.get()?.["count"]) >= MAX_ENDPOINTS) return false;
    const number = Number(this.#sql.freeNumber.get()?.["number"]);
    this.#sql.insert.run(number, endpoint.id, JSON.stringify(endpoint), endpoint.startAfter);
    return true;
  }

  /** Stores an endpoint that another store exported, or replaces it. Its queue begins at the start of this log. */
  import(endpoint: Endpoint): void {
    const stored = this.find(endpoint.id);
    if (stored === undefined) this.add(endpoint);
    const row = stored ?? this.find(endpoint.id);
    if (row === undefined || row.endpoint.revision > endpoint.revision) return;
    this.#sql.replace.run(JSON.stringify(endpoint), null, row.number);
  }

  find(id: string): EndpointRow | undefined {
    const row = this.#sql.find.get(id);
    if (row === undefined) return undefined;
    return { ...row, endpoint: JSON.parse(row["endpoint"] as string) as Endpoint } as unknown as EndpointRow;
  }

  /** Replaces an endpoint by its next revision. Returns false if the stored one is not the revision before it. */
  replace(endpoint: Endpoint): boolean {
    const stored = this.find(endpoint.id);
    if (stored === undefined || stored.endpoint.revision !== endpoint.revision - 1) return false;
    const cursor = stored.endpoint.epoch === endpoint.epoch ? stored.cursor : endpoint.startAfter;
    this.#sql.replace.run(JSON.stringify(endpoint), cursor, stored.number);
    return true;
  }

  /** Marks an endpoint as removed. Its deliveries, of which there may be very many, are purged later. */
  remove(id: string): boolean {
    return Number(this.#sql.remove.run(id).changes) === 1;
  }

  /** Returns the number of an endpoint that was removed and may still have deliveries. */
  removed(): number | undefined {
    return this.#sql.removed.get()?.["number"] as number | undefined;
  }

  /** Deletes the row of a removed endpoint, which has no deliveries any more. */
  delete(number: number): void {
    this.#sql.delete.run(number);
  }

  /** Returns the numbers of all endpoints. */
  numbers(): number[] {
    return this.#sql.numbers.all().map((row) => row["number"] as number);
  }

  /** Stores the position in the event log and the sequence of the last delivery. */
  advance({ number }: EndpointRow, cursor: string | null, lastSequence: number): void {
    this.#sql.advance.run(cursor, lastSequence, number);
  }

  /** Adds to the number of pending deliveries. */
  countPending(number: number, change: number): void {
    if (change !== 0) this.#sql.countPending.run(change, number);
  }

  /** Notes an erasure: events that were read before it must not be queued. */
  noteErasure(): void {
    this.#sql.noteErasure.run();
  }
}
