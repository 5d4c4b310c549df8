import { isWithin } from "../../../session/access.ts";
import { type KeepingTimes, keptUntil } from "../../../session/kept.ts";
import { isLive, type Session } from "../../../session/session.ts";
import type { AssociationEvent, EndEvent, Stretch } from "../../../session/timeline.ts";
import { recordOf } from "../../record-line.ts";
import type { StretchRequest } from "../../store.ts";
import type { Connection, Operation } from "../connection/connection.ts";
import type { Keys } from "../layout/key-names.ts";
import { describedById, isGone, unpackWhole } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";

/** A page stops once it has so many characters. */
const MAX_CHARACTERS = 512 * 1024;
/** How many records are read at once: they may be long, and hold up a server while they are read. */
const RECORDS_A_READ = 64;

/** Reads stretches of records. `maxRecords`: a session may have been allowed more once. */
export function createStretchReader(
  connection: Connection,
  keys: Keys,
  times: RetentionPolicy,
  maxRecords: number,
): (operation: Operation, request: RecordPageRequest) => Promise<RecordPage | undefined> {
  async function read(operation: Operation, id: string, from: number, limit: number) {
    const names = [keys.session(id), keys.records(id)];
    const reply = await connection.run(operation, scripts.readRecords, names, [from, limit]);
    const [text, total, oldest, lines] = reply as [string | null, number, number, string[]];
    return { text, total, oldest, lines };
  }

  function lifeOf(id: string, text: string | null): Known {
    if (text !== null) return unpackWhole(id, text);
    return { session: describedById(id, times.lifetimes), associations: [] };
  }

  return async (operation, { id, scope, after, limit, now }) => {
    const head = await read(operation, id, after + 1, Math.min(limit, RECORDS_A_READ));
    const { total } = head;
    const { session, associations } = lifeOf(id, head.text);
    if (head.text !== null && isGone(head.text)) return undefined;
    const isStored = head.text !== null || total > 0;
    const isTold =
      isLive(session, now) || (isStored && now < purgeAfter(session, total > 0, times));
    if (!isTold || !isWithin(session.customerId, scope)) return undefined;
    const dropped = Math.max(total - maxRecords, total === 0 ? 0 : head.oldest - 1);
    const first = Math.max(after, dropped) + 1;
    let lines = first === Math.max(after + 1, head.oldest) ? head.lines : [];
    while (lines.length < limit && first + lines.length <= total) {
      if (charactersOf(lines) >= MAX_CHARACTERS) break;
      const count = Math.min(limit - lines.length, RECORDS_A_READ);
      const more = await read(operation, id, first + lines.length, count);
      // What was let go in between is gone: the next page begins where there is something.
      if (more.oldest > first + lines.length || more.lines.length === 0) break;
      lines = [...lines, ...more.lines];
    }
    const records = lines.map(recordOf);
    return {
      life: { session, associations, end: endOf(session, now) },
      total,
      dropped,
      first,
      records,
    };
  };
}

interface Known {
  readonly session: Session;
  readonly associations: readonly AssociationEvent[];
}

function charactersOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length, 0);
}

function endOf(session: Session, now: number): EndEvent | null {
  if (session.ended) return { type: "ended", at: session.expiresAt };
  return isLive(session, now) ? null : { type: "expired", at: session.expiresAt };
}
