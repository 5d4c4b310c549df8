import { changeData, NO_DATA } from "../../../session/data.ts";
import { isRenewalDue, type Lifetimes, renewed } from "../../../session/lifetime.ts";
import { isReached } from "../../../session/permissions.ts";
import { hasNoIds, isLive } from "../../../session/session.ts";
import type { DataResult } from "../../ports/data.ts";
import { implicitSessionOf, keyOf } from "../tables/session-row.ts";
import type { Tables } from "../tables.ts";
import type { WriteOperations } from "../writer/writer-protocol.ts";

/** Creates the operation that changes session data. Every change renews the session, so the newer of two is known. */
export function createChangeData(tables: Tables, lifetimes: Lifetimes): WriteOperations["changeData"] {
  const { sessions, data, segments, journal, events } = tables;
  return ({ handle, generation, scope, change, preconditions, now }): DataResult => {
    const stored = sessions.find(handle);
    const session = stored ?? implicitSessionOf(handle, lifetimes);
    if (!isLive(session, now) || !isReached(session, generation, scope)) return { outcome: "absent" };
    const key = keyOf(handle);
    const before = stored && data.find(key);
    const result = changeData(before ?? NO_DATA, change, preconditions);
    if (result.outcome !== "changed") return result;
    const { json } = result;
    const isSame = json === (before ?? NO_DATA);
    if (isSame && !isRenewalDue(session, now, lifetimes)) return { ...result, session };
    const next = renewed(session, now, lifetimes);
    if (stored !== undefined) sessions.renew(next);
    else if (!sessions.insert(next)) return { outcome: "absent" };
    if (!isSame) data.set(key, json);
    const isPublished = () => segments.counts(handle).records > 0 || journal.unmerged(handle).length > 0;
    if (events.isOn && before === undefined && !isSame && hasNoIds(session) && !isPublished()) {
      events.append({ type: "session.created" }, next, now);
    }
    return { ...result, session: next };
  };
}
