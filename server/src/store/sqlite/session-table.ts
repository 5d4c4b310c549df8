import type { DatabaseSync } from "node:sqlite";
import { type Identity, isLive, noIdentity, type Session } from "../../session/session.ts";
import type { AssociationEvent } from "../../session/timeline.ts";
import { isNewerState, type SessionItem } from "../ports/transfer.ts";
import { eventsOf, type HistoryLine, historyLine, linesOfEvents } from "./history.ts";
import type { IdIndex } from "./id-index.ts";
import { idOf, keyOf, type SessionRow, sessionColumns, sessionOf, tailOf } from "./rows.ts";

/** The table `sessions` and which of them have which ids, on the writer's connection. */
export interface SessionTable {
  /** The stored session of this id, live or not. */
  find(id: string): Session | undefined;
  /** Whether a live session other than `id` holds the visit (contract.md#rule-2). */
  isVisitHeld(visitId: string | null, id: string, now: number): boolean;
  /** False when another session is stored under the same key: nothing is stored then. */
  insert(session: Session): boolean;
  /** Stores the session in place of what it was before. */
  update(before: Session, session: Session): void;
  /** Associations of a stored session, in order. */
  history(session: Session): readonly AssociationEvent[];
  /** The stored session of this id with what an association needs to know of it besides. */
  findWithPast(id: string): StoredSession | undefined;
  /** `update` by an association, which happened after so many `requests` of the session. */
  associate(before: StoredSession, session: Session, requests: number, now: number): void;
  /** `insert` of a session that comes to be stored by an association. */
  insertAssociated(session: Session, requests: number, now: number): boolean;
  /** `update` of a session of which nothing but its times changed: touches no index. */
  renew(before: Session, session: Session): void;
  /** Stores a session of another store, unless it is known in a later state. False as with `insert`. */
  adopt(item: SessionItem): boolean;
  /** Deletes the row of a session that is over. */
  remove(key: number): void;
  /** Puts an ended session without anything in the place of one whose index is clean. */
  blank(session: Session): void;
  /** How many rows there are, those of the transaction at hand included. */
  readonly count: number;
  /** Called when the transaction at hand has been committed, or rolled back. */
  settle(isCommitted: boolean): void;
}

/** A stored session and its past. */
export interface StoredSession {
  readonly session: Session;
  /** Requests recorded, as far as they lie in segments. */
  readonly records: number;
  readonly history: readonly HistoryLine[];
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
export function createSessionTable(database: DatabaseSync, index: IdIndex): SessionTable {
  const byKey = database.prepare(`SELECT ${sessionColumns} FROM sessions WHERE id = ?`);
  byKey.setReturnArrays(true);
  const insert = database.prepare(
    `INSERT INTO sessions (id, ${sessionColumns}, history) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  );
  const update = database.prepare(
    `UPDATE sessions SET active_after = ?, expires_after = ?, ended = ?, agent_id = ?,
     customer_id = ?, visit_id = ?, global_visit_id = ? WHERE id = ?`,
  );
  const withPast = database.prepare(
    `SELECT ${sessionColumns}, records, history FROM sessions WHERE id = ?`,
  );
  withPast.setReturnArrays(true);
  const associate = database.prepare(
    `UPDATE sessions SET active_after = ?, expires_after = ?, agent_id = ?, customer_id = ?,
     visit_id = ?, global_visit_id = ?, history = ? WHERE id = ?`,
  );
  const past = database.prepare("UPDATE sessions SET history = ? WHERE id = ?");
  const renew = database.prepare(
    "UPDATE sessions SET active_after = ?, expires_after = ? WHERE id = ?",
  );

  const remove = database.prepare("DELETE FROM sessions WHERE id = ?");
  const clear = database.prepare("UPDATE sessions SET records = 0, history = NULL WHERE id = ?");
  let count = database.prepare("SELECT sessions FROM facts").get()?.["sessions"] as number;
  let settledCount = count;

  function findWithPast(id: string): StoredSession | undefined {
    const key = keyOf(id);
    const row = withPast.get(key) as unknown as [...SessionRow, number, string | null] | undefined;
    if (row === undefined || row[0] !== tailOf(id)) return undefined;
    const [records, history] = [row[8], row[9]];
    const session = sessionOf(id, key, row.slice(0, 8) as unknown as SessionRow);
    return { session, records, history: linesOf(history) };
  }

  function insertNew(session: Session, history: string | null): boolean {
    const key = keyOf(session.id);
    const { changes } = insert.run(key, tailOf(session.id), ...valuesOf(session), history);
    if (Number(changes) !== 1) return false;
    count++;
    index.add(key, session, session.ended);
    return true;
  }

  function replace(before: Session, session: Session): void {
    const key = keyOf(session.id);
    update.run(...valuesOf(session), key);
    index.add(key, newIds(before, session), session.ended);
    if (session.visitId !== null && session.ended) index.release(session.visitId, key);
  }

  return {
    find: createSessionReader(database),
    isVisitHeld(visitId, id, now) {
      if (visitId === null) return false;
      return index.holders(visitId).some((key) => {
        const row = byKey.get(key) as unknown as SessionRow | undefined;
        if (row === undefined) return false;
        const holder = sessionOf(idOf(key, row[0]), key, row);
        return holder.visitId === visitId && holder.id !== id && isLive(holder, now);
      });
    },
    insert: (session) => insertNew(session, null),
    findWithPast,
    associate(before, session, requests, now) {
      const key = keyOf(session.id);
      const line = historyLine(before.session, session, requests, now);
      const [activeAfter, expiresAfter, , ...ids] = valuesOf(session);
      const history = JSON.stringify([...before.history, line]);
      associate.run(activeAfter, expiresAfter, ...ids, history, key);
      index.add(key, newIds(before.session, session), false);
    },
    insertAssociated(session, requests, now) {
      const line = historyLine(noIdentity, session, requests, now);
      return insertNew(session, JSON.stringify([line]));
    },
    update: replace,
    adopt({ session, associations }) {
      const lines = linesOfEvents(associations, session.createdAt);
      const history = lines.length === 0 ? null : JSON.stringify(lines);
      const before = findWithPast(session.id);
      if (before === undefined) return insertNew(session, history);
      const isKnown = isSame(before.session, session) && before.history.length === lines.length;
      if (isKnown || isNewerState(before.session, session)) return true;
      replace(before.session, session);
      past.run(history, keyOf(session.id));
      return true;
    },
    history: ({ id, createdAt }) => eventsOf(findWithPast(id)?.history ?? [], createdAt),
    renew(_before, session) {
      const [activeAfter, expiresAfter] = valuesOf(session);
      renew.run(activeAfter, expiresAfter, keyOf(session.id));
    },
    remove(key) {
      count -= Number(remove.run(key).changes);
    },
    blank(session) {
      const key = keyOf(session.id);
      update.run(...valuesOf(session), key);
      clear.run(key);
    },
    get count() {
      return count;
    },
    settle(isCommitted) {
      if (isCommitted) settledCount = count;
      else count = settledCount;
    },
  };
}

/** The ids that `after` has and `before` had not. */
function newIds(before: Identity, after: Identity): Identity {
  return {
    agentId: before.agentId === null ? after.agentId : null,
    customerId: before.customerId === null ? after.customerId : null,
    visitId: before.visitId === null ? after.visitId : null,
    globalVisitId: before.globalVisitId === null ? after.globalVisitId : null,
  };
}

function isSame(one: Session, other: Session): boolean {
  const values = valuesOf(other);
  return valuesOf(one).every((value, i) => value === values[i]);
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

function linesOf(history: string | null): HistoryLine[] {
  return history === null ? [] : (JSON.parse(history) as HistoryLine[]);
}
