import { changeData, NO_DATA } from "../../../session/data.ts";
import { isRenewalDue, type Lifetimes, renewed } from "../../../session/lifetime.ts";
import { isReached } from "../../../session/permissions.ts";
import { hasNoIds, isLive } from "../../../session/session.ts";
import type { DataResult } from "../../ports/data.ts";
import { implicitSessionOf, keyOf } from "../tables/session-row.ts";
import type { Tables } from "../tables.ts";
import type { WriteOperations } from "../writer/writer-protocol.ts";

/** Creates the operation that changes session data. */
export function createChangeData(tables: Tables, lifetimes: Lifetimes): WriteOperations["changeData"] {
  const { sessions, data, segments, journal, events } = tables;
  return ({ handle, generation, scope, change, preconditions, now }): DataResult => {
    const stored = sessions.find(handle);
    const session = stored ?? implicitSessionOf(handle, lifetimes);
    if (!isLive(session, now) || !isReached(session, generation, scope)) return { outcome: "absent" };
    const key = keyOf(handle);
    const before = stored && data.find(key)?.json;
    const result = changeData(before ?? NO_DATA, change, preconditions);
    if (result.outcome !== "changed") return result;
    const { json } = result;
    const isSame = json === (before ?? NO_DATA);
    // To write less, a session that is stored is renewed only when that is due.
    const isDue = isRenewalDue(session, now, lifetimes);
    if (isSame && !isDue) return { ...result, session: null };
    const next = isDue || stored === undefined ? renewed(session, now, lifetimes) : null;
    if (stored === undefined) {
      if (next !== null && !sessions.insert(next)) return { outcome: "absent" };
    } else if (next !== null) sessions.renew(next);
    if (!isSame) data.set(key, { json, changedAt: now });
    const isPublished = () => segments.counts(handle).records > 0 || journal.unmerged(handle).length > 0;
    if (events.isOn && before === undefined && !isSame && hasNoIds(session) && !isPublished()) {
      events.append({ type: "session.created" }, next ?? session, now);
    }
    return { ...result, session: next };
  };
}
