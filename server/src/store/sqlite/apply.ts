import type { DatabaseSync } from "node:sqlite";
import { associate } from "../../session/association.ts";
import { type Lifetimes, renewed } from "../../session/lifetime.ts";
import { isWithin, type Scope } from "../../session/permissions.ts";
import { hasNoIds, idFields, isLive, type Session } from "../../session/session.ts";
import type { AssociationRequest, AssociationResult, CreateResult } from "../ports/sessions.ts";
import { createAdopt } from "./adopt.ts";
import type { AnswerTable } from "./answers.ts";
import type { AuditTable } from "./audit-table.ts";
import { type Change, isRead, type Outcome, type Outcomes } from "./changes.ts";
import { createErase } from "./erase.ts";
import type { IdIndex } from "./id-index.ts";
import type { Journal } from "./journal.ts";
import type { KeyTable } from "./key-table.ts";
import { describedById } from "./rows.ts";
import type { SegmentTable } from "./segments.ts";
import type { SessionTable } from "./session-table.ts";
import { createSweep } from "./sweep.ts";
import type { WriterOptions } from "./writer.ts";

/** The tables of the writer's connection. */
export interface Tables {
  readonly ids: IdIndex;
  readonly sessions: SessionTable;
  readonly segments: SegmentTable;
  readonly journal: Journal;
  readonly answers: AnswerTable;
  readonly keys: KeyTable;
  readonly audit: AuditTable;
}

/**
 * Carries out one change on the writer's connection, inside the transaction of its group. The rules
 * of `session/` decide; what is read here cannot change before the commit, as there is one writer.
 */
export function createApply(
  database: DatabaseSync,
  tables: Tables,
  options: WriterOptions,
): (change: Change) => Outcome {
  const { ids, sessions, journal, answers, keys, audit } = tables;
  const { lifetimes } = options;
  const adopt = createAdopt(database, tables);
  const sweep = createSweep(database, tables, options);
  const erase = createErase(tables, options);
  const renew = (now: number) => (session: Session) => renewed(session, now, lifetimes);
  const ended = (now: number) => (session: Session) => ({
    ...session,
    ended: true,
    expiresAt: Math.min(session.expiresAt, now),
  });
  const addSecret = database.prepare("INSERT INTO secrets (created_at, bytes) VALUES (?, ?)");

  return (change) => {
    if (isRead(change)) throw new TypeError("what only reads goes without a transaction");
    switch (change.kind) {
      case "create":
        return answers.once(change, () => applyCreate(sessions, change.session, change.now));
      case "associate":
        return applyAssociate(tables, change, lifetimes);
      case "record":
        return answers.once(change, () => {
          journal.append(change.lines, change.now);
          return { outcome: "recorded" } as const;
        });
      case "renew":
        return replaceLive(sessions, change, lifetimes, renew(change.now), sessions.renew);
      case "end":
        return replaceLive(sessions, change, lifetimes, ended(change.now), sessions.update);
      case "erase":
        return erase(change.ids, change.now);
      case "eraseKeys":
        return keys.removeOf(change.customerId);
      case "appendAudit":
        return audit.append(change.entry);
      case "adopt":
        return adopt(change);
      case "touch":
        // Every group notes its time.
        return null;
      case "sweep":
        return sweep(change.now, change.sweepTime);
      case "purge":
        return applyPurge(ids, change.upTo ?? ids.forgotten);
      case "addKey":
        keys.add(change.key);
        return null;
      case "revokeKey":
        return keys.revoke(change.id, change.now);
      case "replaceKey":
        return keys.replace(change.id, change.successor, change.expiresAt);
      case "keysUsed":
        keys.noteUses(change.uses);
        return null;
      case "addSecret":
        addSecret.run(change.now, Buffer.from(change.base64, "base64"));
        return null;
    }
  };
}

function applyPurge(ids: IdIndex, upTo: number): Outcomes["purge"] {
  // A restarted writer counts from the beginning.
  const isDone = ids.purged >= Math.min(upTo, ids.forgotten);
  if (!isDone) ids.purge();
  return { upTo, isDone };
}

function applyCreate(sessions: SessionTable, session: Session, now: number): CreateResult {
  // Of a session without ids only the stored response is kept (contract.md#rule-8).
  if (hasNoIds(session)) return { outcome: "created" };
  if (sessions.isVisitHeld(session.visitId, session.id, now)) {
    return { outcome: "conflict", field: "visitId" };
  }
  return { outcome: sessions.insert(session) ? "created" : "id-taken" };
}

function applyAssociate(
  { sessions, journal }: Tables,
  request: AssociationRequest,
  lifetimes: Lifetimes,
): AssociationResult {
  const { id, ids, now } = request;
  const stored = sessions.findWithPast(id);
  const session = stored?.session ?? describedById(id, lifetimes);
  if (!isLive(session, now) || !isWithin(session.customerId, request.scope)) {
    return { outcome: "absent" };
  }
  const result = associate(session, ids, now, lifetimes);
  if (result.outcome === "conflict") return result;
  if (result.outcome === "unchanged") return { outcome: "associated", session };
  const next = result.session;
  if (session.visitId === null && sessions.isVisitHeld(next.visitId, id, now)) {
    return { outcome: "conflict", field: "visitId" };
  }
  const isRenewal = idFields.every((field) => session[field] === next[field]);
  const requests = (stored?.records ?? 0) + journal.unmerged(id).length;
  if (stored === undefined) {
    if (!sessions.insertAssociated(next, requests, now)) return { outcome: "absent" };
  } else if (isRenewal) sessions.renew(session, next);
  else sessions.associate(stored, next, requests, now);
  return { outcome: "associated", session: next };
}

/** Puts `next` of a live session in its place; `null` when there is no live one. */
function replaceLive(
  sessions: SessionTable,
  { id, now, scope = "everyone" }: { id: string; now: number; scope?: Scope },
  lifetimes: Lifetimes,
  next: (session: Session) => Session,
  write: (before: Session, after: Session) => void,
): Session | null {
  const stored = sessions.find(id);
  const before = stored ?? describedById(id, lifetimes);
  if (!isLive(before, now) || !isWithin(before.customerId, scope)) return null;
  const after = next(before);
  if (stored !== undefined) write(stored, after);
  else if (!sessions.insert(after)) return null;
  return after;
}
