import { type KeepingTimes, keptUntil } from "../../../session/kept.ts";
import { isBlank, isLive } from "../../../session/session.ts";
import {
  type ImportRequest,
  isNewerState,
  type RecordsItem,
  type SessionItem,
} from "../../moving.ts";
import { lineOf } from "../../record-line.ts";
import type { Connection, Operation } from "../connection/connection.ts";
import type { Fixed } from "../globals/globals.ts";
import type { Indices } from "../index/session-index.ts";
import type { Keys } from "../layout/key-names.ts";
import { pack, unpack } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { claimLife } from "../sessions/visit-claim.ts";
import type { Answers } from "./idempotency.ts";

/** The nonce of claims that were taken over with their sessions. */
const ADOPTED = "adopted";

export interface AdoptParts {
  readonly connection: Connection;
  readonly keys: Keys;
  readonly fixed: Fixed;
  readonly answers: Answers;
  readonly indices: Indices;
  readonly times: RetentionPolicy;
  readonly maxRecords: number;
}

/** Keeps items of another store. Nobody else writes meanwhile, so that steps need not be one. */
export function createAdopt(
  parts: AdoptParts,
): (adoption: ImportRequest) => Promise<readonly string[]> {
  const { connection, keys, fixed, answers, indices, times, maxRecords } = parts;
  const { anonymous, recognized } = times.lifetimes;
  const life = claimLife(Math.max(anonymous.total, recognized.total));

  async function adoptSession(operation: Operation, item: SessionItem): Promise<void> {
    const { session, associations, requests } = item;
    const { id, visitId } = session;
    const ttl = purgeAfter(session, requests > 0, times) - operation.now;
    // Of one without ids that was only recorded in, the records tell all.
    if (ttl <= 0) return;
    await indices.enter(operation, id, session, true);
    if (isOnlyRecorded(item)) return;
    const name = keys.session(id);
    const known = (await connection.command(operation, "get", name)) as string | null;
    const text = pack(session, associations);
    if (known !== null && known !== text && isNewerState(unpack(id, known), session)) return;
    await connection.write(operation, "set", name, text, "PX", ttl);
    await connection.command(operation, "pexpire", keys.records(id), ttl);
    if (visitId === null) return;
    if (!isLive(session, operation.now)) {
      await connection.run(operation, scripts.releaseVisit, [keys.visit(visitId)], [`${id} `]);
      return;
    }
    const claim = `${id} ${ADOPTED} ${operation.now}`;
    await connection.write(operation, "set", keys.visit(visitId), claim, "PX", life);
  }

  async function adoptRecords(operation: Operation, item: RecordsItem): Promise<void> {
    const { session, first, records } = item;
    const ttl = purgeAfter(session, true, times) - operation.now;
    if (ttl <= 0) return;
    const words = [first, maxRecords, ttl, ...records.map(lineOf)];
    await connection.change(operation, scripts.importRecords, [keys.records(session.id)], words);
  }

  function adoptItem(item: TransferItem, now: number): Promise<void> {
    const operation = connection.begin(now);
    switch (item.kind) {
      case "session":
        return adoptSession(operation, item);
      case "records":
        return adoptRecords(operation, item);
      case "answer":
        return answers.adopt(operation, item);
      case "key":
        return fixed.putKey(operation, item.key);
      case "secrets":
        return fixed.putSecrets(operation, item.secrets, true);
      case "audit":
        return fixed.appendAudit(operation, item.entry).then(() => undefined);
      case "floor":
        return fixed.raiseFloor(operation, item.floor);
    }
  }

  return async ({ items, cursor: note, now }) => {
    // Those of one session in their order, the others beside each other.
    const others = items.filter(({ kind }) => kind !== "records" && kind !== "audit");
    await Promise.all(others.map((item) => adoptItem(item, now)));
    for (const item of items) if (item.kind === "audit") await adoptItem(item, now);
    const bySession = Map.groupBy(
      items.filter((item) => item.kind === "records"),
      ({ session }) => session.id,
    );
    await Promise.all(
      [...bySession.values()].map(async (some) => {
        for (const item of some) await adoptItem(item, now);
      }),
    );
    await fixed.noteMove(connection.begin(now), note);
    return [];
  };
}

function isOnlyRecorded({ session, associations, requests }: SessionItem): boolean {
  return (
    requests > 0 &&
    hasNoIds(session) &&
    !session.ended &&
    associations.length === 0 &&
    session.lastActiveAt === session.createdAt
  );
}
