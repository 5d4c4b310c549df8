import { isLive, type Session } from "../../../session/session.ts";
import type { Operation } from "../engine.ts";
import { addDue, type Due } from "../events/due-lists.ts";
import type { DueRepair } from "../globals/due-repair.ts";
import { tagIn } from "../layout/key-names.ts";
import { newNonce } from "../layout/nonce.ts";
import { decode, implicitSession, isErased, mayExpire } from "../layout/session-codec.ts";
import { tagOf } from "../layout/shards.ts";
import { EntryCollection, indexHashes } from "./index-entry.ts";
import { addEntries } from "./index-writer.ts";

/**
 * Time (ms) before a loss, or before now, from which expiries are looked for again. The expiry of an older session was most
 * likely published: nothing says so in one that has only records.
 */
const EXPIRED_SINCE = 30 * 60 * 1000;

/** A session that was found by the name of a key. */
interface Found {
  readonly session: Session;
  /** Whether its expiry may not be published yet. */
  readonly mayBeDue: boolean;
}

/**
 * Writes again what shards have lost about sessions in other shards: index entries, claims of visits, places in the lists of
 * due sessions. What is there is not added twice, except places in the lists, where that does no harm. `names` are
 * key names of sessions and of records.
 */
export async function reindex(operation: Operation, names: readonly string[], repair: DueRepair): Promise<void> {
  const found = await readSessions(operation, names, repair.lostAt);
  const { lacking } = repair;
  const entries = new EntryCollection();
  const returned = new EntryCollection();
  const claims: Promise<void>[] = [];
  const due: Due[] = [];
  for (const { session, mayBeDue } of found) {
    const { handle, visitId } = session;
    // An older copy of a shard may have sessions that were erased since, so they have no entries anywhere.
    const isInLostShard = lacking.has(tagOf(handle));
    (isInLostShard ? returned : entries).add(handle, indexHashes(session), true);
    if (mayBeDue) due.push({ handle, at: session.expiresAt });
    if (visitId !== null && isLive(session, operation.now))
      claims.push(claimAgain(operation, handle, visitId, lacking));
  }
  const lost = [...entries.all].filter(({ tag }) => lacking.has(tag));
  await Promise.all([
    ...[...lost, ...returned.all].map((some) => addEntries(operation, some)),
    ...claims,
    operation.engine.publishes ? addDue(operation, due) : undefined,
  ]);
}

/** Reads the sessions that are there, except erased ones. */
async function readSessions(operation: Operation, names: readonly string[], lostAt: number): Promise<Found[]> {
  const { keys, engine, now } = operation;
  const handles = new Map<string, boolean>();
  for (const name of names) {
    const { kind, text } = keys.parse(name);
    handles.set(text, kind === "session" || handles.get(text) === true);
  }
  const found = await Promise.all(
    Array.from(handles, async ([handle, hasSession]): Promise<Found | undefined> => {
      const text = (await operation.command("get", keys.session(handle))) as string | null;
      if (text === null) {
        // It has only records, or was removed meanwhile.
        if (hasSession) return undefined;
        const session = implicitSession(handle, engine.policy.lifetimes);
        return { session, mayBeDue: session.expiresAt > now - EXPIRED_SINCE };
      }
      // A session that is stored is found by its own key.
      if (!hasSession || isErased(text)) return undefined;
      const session = decode(handle, text);
      return { session, mayBeDue: mayExpire(text) && session.expiresAt > lostAt - EXPIRED_SINCE };
    }),
  );
  return found.filter((one) => one !== undefined);
}

/** Claims the visit for the session that holds it, unless there is a claim, or its shard has lost nothing. */
async function claimAgain(
  operation: Operation,
  handle: string,
  visitId: string,
  lacking: ReadonlySet<string>,
): Promise<void> {
  const { keys, claimLife } = operation.engine;
  const name = keys.visit(visitId);
  if (!lacking.has(tagIn(name))) return;
  await operation.prepareCommand("set", name, `${handle} ${newNonce()}`, "PX", claimLife, "NX");
}
