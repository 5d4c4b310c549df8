import type { DatabaseSync } from "node:sqlite";
import { isLive, type Session } from "../../session/session.ts";
import {
  columns,
  createVisitHash,
  idOf,
  keyOf,
  type SessionRow,
  sessionColumns,
  sessionOf,
  tailOf,
} from "./rows.ts";

/** The table `sessions` and its index, on one connection. */
export interface SessionTable {
  /** The stored session of this id, live or not. */
  find(id: string): Session | undefined;
  /** Whether a live session other than `id` holds the visit (contract rule 2). */
  isVisitHeld(visitId: string | null, id: string, now: number): boolean;
  /** False when another session is stored under the same key: nothing is stored then. */
  insert(session: Session): boolean;
  /** Stores the session in place of the one of the same id. */
  update(session: Session): void;
  /** The same for a session of which nothing but its times changed: touches no index. */
  renew(session: Session): void;
}

/** `find` alone, for a connection that only reads. */
export function createSessionReader(database: DatabaseSync): SessionTable["find"] {
  const byKey = database.prepare(`SELECT ${sessionColumns} FROM sessions WHERE id = ?`);
  byKey.setReturnArrays(true);
  return (id) => {
    const key = keyOf(id);
    const row = byKey.get(key) as unknown as SessionRow | undefined;
    // Another session of the same millisecond and count: two processes, and a clock set back between.
    if (row === undefined || row[0] !== tailOf(id)) return undefined;
    return sessionOf(id, key, row);
  };
}

/** The table on the writer's connection. */
export function createSessionTable(database: DatabaseSync): SessionTable {
  const facts = database.prepare("SELECT visit_seed FROM facts").get();
  const visitHash = createVisitHash(facts?.["visit_seed"] as Uint8Array);
  const byVisit = database.prepare(
    `SELECT id, ${sessionColumns} FROM sessions WHERE visit_hash = ?`,
  );
  byVisit.setReturnArrays(true);
  const insert = database.prepare(
    `INSERT INTO sessions (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const update = database.prepare(
    `UPDATE sessions SET active_after = ?, expires_after = ?, ended = ?, agent_id = ?,
     customer_id = ?, visit_id = ?, global_visit_id = ?, visit_hash = ? WHERE id = ?`,
  );
  const renew = database.prepare(
    "UPDATE sessions SET active_after = ?, expires_after = ? WHERE id = ?",
  );
  // An ended session holds no visit: it leaves the index at once.
  const hashOf = ({ visitId, ended }: Session) =>
    visitId === null || ended ? null : visitHash(visitId);

  return {
    find: createSessionReader(database),
    isVisitHeld(visitId, id, now) {
      if (visitId === null) return false;
      // Sessions that are over may still be there, so there can be several rows of one visit.
      const rows = byVisit.all(visitHash(visitId)) as unknown as [number, ...SessionRow][];
      return rows.some(([key, ...row]) => {
        const holder = sessionOf(idOf(key, row[0]), key, row);
        return holder.visitId === visitId && holder.id !== id && isLive(holder, now);
      });
    },
    insert(session) {
      const { changes } = insert.run(
        keyOf(session.id),
        tailOf(session.id),
        session.lastActiveAt - session.createdAt,
        session.expiresAt - session.createdAt,
        session.ended ? 1 : 0,
        session.agentId,
        session.customerId,
        session.visitId,
        session.globalVisitId,
        hashOf(session),
      );
      return Number(changes) === 1;
    },
    update(session) {
      update.run(
        session.lastActiveAt - session.createdAt,
        session.expiresAt - session.createdAt,
        session.ended ? 1 : 0,
        session.agentId,
        session.customerId,
        session.visitId,
        session.globalVisitId,
        hashOf(session),
        keyOf(session.id),
      );
    },
    renew(session) {
      renew.run(
        session.lastActiveAt - session.createdAt,
        session.expiresAt - session.createdAt,
        keyOf(session.id),
      );
    },
  };
}
