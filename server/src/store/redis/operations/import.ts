import { purgeAfter } from "../../../session/retention.ts";
import { hasNoIds, isBare, isLive } from "../../../session/session.ts";
import {
  type ImportRequest,
  isNewerState,
  type RecordsItem,
  type SessionItem,
  type TransferItem,
} from "../../ports/transfer.ts";
import { lineOf } from "../../record-line.ts";
import type { Engine, Operation } from "../engine.ts";
import { addDue } from "../events/due-lists.ts";
import * as audit from "../globals/audit-trail.ts";
import { addApiKey, addSecrets } from "../globals/credentials.ts";
import { advanceHighWaterMark, setImportCursor } from "../globals/store-state.ts";
import { indexSession } from "../index/index-writer.ts";
import { decode, encode, hasHadData } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { importData } from "../sessions/data.ts";
import { changeLiveCount } from "../statistics/statistics-port.ts";
import { importDelivery, importEndpoint } from "../webhooks/transfer.ts";
import { importResponse } from "./idempotency.ts";

/** Nonce of imported claims. Do not change the word: it is part of stored data. */
const IMPORTED = "adopted";

/**
 * Imports items that another store exported, then stores the cursor. Nothing else writes to the store meanwhile, so the
 * steps need not be atomic. Returns the handles of skipped sessions: always an empty list.
 */
export async function importItems(engine: Engine, { items, cursor, now }: ImportRequest): Promise<readonly string[]> {
  // The records of a session and the audit entries are imported in order, all other items in parallel.
  const others = items.filter(({ kind }) => kind !== "records" && kind !== "audit");
  const changes = await Promise.all(others.map((item) => importItem(engine, item, now)));
  for (const item of items) if (item.kind === "audit") await importItem(engine, item, now);
  const records = items.filter((item) => item.kind === "records");
  const bySession = Map.groupBy(records, ({ session }) => session.handle);
  await Promise.all(
    [...bySession.values()].map(async (pages) => {
      for (const page of pages) await importItem(engine, page, now);
    }),
  );
  const live = changes.reduce((sum, change) => sum + change.live, 0);
  await changeLiveCount(engine.begin(now), live);
  await setImportCursor(engine.begin(now), cursor);
  return [];
}

async function importItem(engine: Engine, item: TransferItem, now: number): Promise<{ readonly live: number }> {
  const operation = engine.begin(now);
  if (item.kind === "session") return importSession(operation, item);
  await importOther(operation, item);
  return unchanged;
}

const unchanged = { live: 0 } as const;

function importOther(operation: Operation, item: Exclude<TransferItem, SessionItem>): Promise<unknown> {
  switch (item.kind) {
    case "records":
      return importRecords(operation, item);
    case "answer":
      return importResponse(operation, item);
    case "key":
      return addApiKey(operation, item.key);
    case "secrets":
      return addSecrets(operation, item.secrets, true);
    case "audit":
      return audit.append(operation, item.entry);
    case "endpoint":
      return importEndpoint(operation, item);
    case "delivery":
      return importDelivery(operation, item);
    case "floor":
      return advanceHighWaterMark(operation, item.floor);
  }
}

/** Imports a session. Returns by how much this changes the number of live sessions that have ids, records or data. */
async function importSession(operation: Operation, item: SessionItem): Promise<{ readonly live: number }> {
  const { keys, policy } = operation.engine;
  const { session, associations, requests, data } = item;
  const { handle } = session;
  const hasData = data !== undefined;
  const ttl = purgeAfter(session, requests > 0 || hasData, policy) - operation.now;
  if (ttl <= 0) return unchanged;
  await indexSession(operation, handle, session);
  // The other store has published the expiry of a session that is over.
  if (operation.engine.publishes && isLive(session, operation.now)) {
    await addDue(operation, [{ handle, at: session.expiresAt }]);
  }
  const name = keys.session(handle);
  const [stored, hadRecords] = (await Promise.all([
    operation.command("get", name),
    operation.command("exists", keys.records(handle)),
  ])) as [string | null, number];
  const before = stored === null ? session : decode(handle, stored);
  const wasStored = stored !== null && (!hasNoIds(before) || hasHadData(stored));
  const wasCounted = (hadRecords === 1 || wasStored) && isLive(before, operation.now);
  const isCounted = (requests > 0 || hasData || !hasNoIds(session)) && isLive(session, operation.now);
  const live = Number(isCounted) - Number(wasCounted);
  if (hasOnlyRecords(item)) return { live };
  const text = encode(session, associations, hasData);
  if (stored !== null && stored !== text && isNewerState(before, session)) return unchanged;
  await operation.write("set", name, text, "PX", ttl);
  await operation.command("pexpire", keys.records(handle), ttl);
  if (hasData) await importData(operation, session, data);
  await importClaim(operation, item);
  return { live };
}

/** Writes the claim of the session's visit if the session is live; otherwise releases that claim. */
async function importClaim(operation: Operation, { session }: SessionItem): Promise<void> {
  const { keys, claimLife } = operation.engine;
  const { handle, visitId } = session;
  if (visitId === null) return;
  const name = keys.visit(visitId);
  if (isLive(session, operation.now)) {
    await operation.write("set", name, `${handle} ${IMPORTED}`, "PX", claimLife);
  } else await operation.run(scripts.releaseVisit, [name], [`${handle} `]);
}

async function importRecords(operation: Operation, { session, first, records }: RecordsItem) {
  const { keys, policy, options } = operation.engine;
  const ttl = purgeAfter(session, true, policy) - operation.now;
  if (ttl <= 0) return;
  const args = [first, options.maxRecords, ttl, ...records.map(lineOf)];
  await operation.change(scripts.importRecords, [keys.records(session.handle)], args);
}

/** Returns whether the exporting store had nothing but records of the session. */
function hasOnlyRecords({ session, associations, requests, data }: SessionItem): boolean {
  return (
    requests > 0 &&
    data === undefined &&
    isBare(session) &&
    !session.ended &&
    associations.length === 0 &&
    session.lastActiveAt === session.createdAt
  );
}
