import type { DatabaseSync } from "node:sqlite";
import { isLive, type Session } from "../../session/session.ts";
import type { AssociationEvent } from "../../session/timeline.ts";
import { eventsOf, type HistoryLine, historyLine } from "./history.ts";
import { idOf, keyOf, type SessionRow, sessionColumns, sessionOf, tailOf } from "./rows.ts";
import type { VisitIndex } from "./visit-index.ts";

/** The table `sessions` and who holds which visit, on the writer's connection. */
export interface SessionTable {
  /** The stored session of this id, live or not. */
  find(id: string): Session | undefined;
  /** Whether a live session other than `id` holds the visit (contract rule 2). */
  isVisitHeld(visitId: string | null, id: string, now: number): boolean;
  /** False when another session is stored under the same key: nothing is stored then. */
  insert(session: Session): boolean;
  /** Stores the session in place of what it was before. */
  update(before: Session, session: Session): void;
  /** Associations of a stored session, in order. */
  history(session: Session): readonly AssociationEvent[];
  /** Adds one to the history of a stored session. */
  addToHistory(session: Session, event: AssociationEvent): void;
  /** The same for a session of which nothing but its times changed: touches no index. */
  renew(before: Session, session: Session): void;
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
export function createSessionTable(database: DatabaseSync, visits: VisitIndex): SessionTable {
  const byKey = database.prepare(`SELECT ${sessionColumns} FROM sessions WHERE id = ?`);
  byKey.setReturnArrays(true);
  const insert = database.prepare(
    `INSERT INTO sessions (id, ${sessionColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  );
  const update = database.prepare(
    `UPDATE sessions SET active_after = ?, expires_after = ?, ended = ?, agent_id = ?,
     customer_id = ?, visit_id = ?, global_visit_id = ? WHERE id = ?`,
  );
  const readHistory = database.prepare("SELECT history FROM sessions WHERE id = ?");
  const writeHistory = database.prepare("UPDATE sessions SET history = ? WHERE id = ?");
  const renew = database.prepare(
    "UPDATE sessions SET active_after = ?, expires_after = ? WHERE id = ?",
  );

  function historyOf(session: Session): HistoryLine[] {
    const text = readHistory.get(keyOf(session.id))?.["history"] as string | null | undefined;
    return text == null ? [] : (JSON.parse(text) as HistoryLine[]);
  }

  return {
    find: createSessionReader(database),
    isVisitHeld(visitId, id, now) {
      if (visitId === null) return false;
      return visits.candidates(visitId).some((key) => {
        const row = byKey.get(key) as unknown as SessionRow | undefined;
        if (row === undefined) return false;
        const holder = sessionOf(idOf(key, row[0]), key, row);
        return holder.visitId === visitId && holder.id !== id && isLive(holder, now);
      });
    },
    insert(session) {
      const key = keyOf(session.id);
      const { changes } = insert.run(key, tailOf(session.id), ...valuesOf(session));
      if (Number(changes) !== 1) return false;
      if (session.visitId !== null) visits.add(session.visitId, key);
      return true;
    },
    update(before, session) {
      const key = keyOf(session.id);
      update.run(...valuesOf(session), key);
      if (session.visitId === null) return;
      if (session.ended) visits.remove(session.visitId, key);
      else if (before.visitId === null) visits.add(session.visitId, key);
    },
    history: (session) => eventsOf(historyOf(session), session.createdAt),
    addToHistory(session, event) {
      const lines = [...historyOf(session), historyLine(event, session.createdAt)];
      writeHistory.run(JSON.stringify(lines), keyOf(session.id));
    },
    renew(_before, session) {
      const [activeAfter, expiresAfter] = valuesOf(session);
      renew.run(activeAfter, expiresAfter, keyOf(session.id));
    },
  };
}

function valuesOf(session: Session) {
  return [
    session.lastActiveAt - session.createdAt,
    session.expiresAt - session.createdAt,
    session.ended ? 1 : 0,
    session.agentId,
    session.customerId,
    session.visitId,
    session.globalVisitId,
  ] as const;
}
