import assert from "node:assert/strict";
import type { Identity, SessionInfo } from "@antechamber/client/protocol";
import { idFields } from "../../src/session/fields.ts";
import { type Answer, sessionOf } from "../support/api.ts";
import { type Caller, type GivenIds, identityOf, type TimedResponse, unavailable } from "../support/caller.ts";
import type { StoredData } from "./stored-data.ts";

/*
 * A ledger lists the changes that a server acknowledged, so that a test can compare them with the server's data later.
 *
 * A change is entered before its request is sent. After a 200 it must be in the data exactly as acknowledged; after a
 * refusal it must never appear. Without a response it is in doubt: it is in the data as a whole or not at all, and the
 * next verification finds out which.
 */

/** A session as the server acknowledged it. */
interface Entry {
  readonly sessionId: string;
  readonly createdAt: string;
  ids: Identity;
  /** For each association in doubt: the ids that the session has if it succeeded. */
  doubts: Identity[];
  ending: "no" | "in doubt" | "yes";
}

/** Ids of a new session. Verification finds it by its `visitId` and attributes it by its unique `globalVisitId`. */
export type CreateIds = GivenIds & { visitId: string; globalVisitId: string };

export interface Ledger {
  /** Creates a session and enters the outcome. Nothing else may use the `globalVisitId`. */
  create(caller: Caller, ids: CreateIds): Promise<TimedResponse>;
  /** Creates an anonymous session, enters it, and returns its id. */
  createAnonymous(caller: Caller): Promise<string>;
  /** Associates ids with a session of this ledger, and enters the outcome. */
  associate(caller: Caller, sessionId: string, ids: GivenIds): Promise<Answer>;
  /** Ends a session with `end`, which returns true if the server confirmed the end, and enters the outcome. */
  end(sessionId: string, end: () => Promise<boolean>): Promise<void>;
  /** Returns the ids of all acknowledged sessions, oldest first. */
  sessionIds(): string[];
  /** Returns the number of creates in doubt. */
  doubtfulCreates(): number;
  /** Returns how many creates in doubt have left a session in the data. */
  appliedInDoubt(stored: StoredData): number;
  /** Retrieves each of these sessions, and throws if one is not as acknowledged. */
  verify(caller: Caller, sessionIds: readonly string[]): Promise<void>;
  /** Asserts that refused creates left nothing in the data, and that creates in doubt left all or nothing. */
  verifyCreates(stored: StoredData): void;
  /** Returns the ids of the sessions that the server does not return as acknowledged. */
  lost(caller: Caller): Promise<string[]>;
}

export function createLedger(): Ledger {
  const entries = new Map<string, Entry>();
  /** The session that was acknowledged for each visit. */
  const holders = new Map<string, Entry>();
  const refused = new Set<Identity>();
  const doubtful = new Set<Identity>();

  function enter(session: SessionInfo): void {
    const { sessionId, createdAt, ...rest } = session;
    const entry: Entry = { sessionId, createdAt, ids: identityOf(rest), doubts: [], ending: "no" };
    assert.ok(!entries.has(sessionId), "a session id was issued twice");
    entries.set(sessionId, entry);
    hold(entry);
  }

  function hold(entry: Entry): void {
    const { visitId } = entry.ids;
    if (visitId === null) return;
    const holder = holders.get(visitId);
    const free = holder === undefined || holder === entry || holder.ending !== "no";
    assert.ok(free, `visit ${visitId} was given to two live sessions`);
    holders.set(visitId, entry);
  }

  function entryOf(sessionId: string): Entry {
    const entry = entries.get(sessionId);
    if (entry === undefined) throw new TypeError("no such session was entered");
    return entry;
  }

  async function mismatch(caller: Caller, entry: Entry): Promise<string | undefined> {
    const shown = sessionOf(await caller.retrieve(entry.sessionId));
    const is = shown.sessionId === entry.sessionId;
    if (entry.ending === "in doubt") entry.ending = is ? "no" : "yes";
    if (entry.ending === "yes") return is ? "an ended session came back" : undefined;
    if (!is) return "an acknowledged session is gone";
    if (shown.createdAt !== entry.createdAt) return `created at ${shown.createdAt}`;
    const settled = entry.doubts.find((doubt) => same(identityOf(shown), doubt));
    if (settled !== undefined) {
      entry.ids = settled;
      entry.doubts = [];
      hold(entry);
    }
    if (same(identityOf(shown), entry.ids)) return undefined;
    return `${JSON.stringify(entry.ids)} was acknowledged, ${JSON.stringify(identityOf(shown))} is there`;
  }

  return {
    async create(caller, ids) {
      const identity = identityOf(ids);
      doubtful.add(identity);
      const answer = await caller.create(ids);
      if (answer.status === 503 && unavailable(answer).outcome === "unknown") return answer;
      doubtful.delete(identity);
      if (answer.status !== 200) refused.add(identity);
      else {
        assert.deepEqual(identityOf(sessionOf(answer)), identity);
        enter(sessionOf(answer));
      }
      return answer;
    },

    async createAnonymous(caller) {
      const session = sessionOf(await caller.create());
      enter(session);
      return session.sessionId;
    },

    async associate(caller, sessionId, ids) {
      const entry = entryOf(sessionId);
      const after = { ...entry.ids, ...ids };
      entry.doubts.push(after);
      const answer = await caller.associate(sessionId, ids);
      if (answer.status === 503 && unavailable(answer).outcome === "unknown") return answer;
      entry.doubts = entry.doubts.filter((doubt) => doubt !== after);
      if (answer.status === 200) {
        assert.deepEqual(identityOf(sessionOf(answer)), after);
        entry.ids = after;
        entry.doubts = [];
        hold(entry);
      }
      return answer;
    },

    async end(sessionId, end) {
      const entry = entryOf(sessionId);
      entry.ending = "in doubt";
      if (await end()) entry.ending = "yes";
    },

    sessionIds: () => [...entries.keys()],
    doubtfulCreates: () => doubtful.size,

    appliedInDoubt(stored) {
      const found = stored.identitiesOfVisits([...doubtful].map(({ visitId }) => visitId ?? ""));
      return [...doubtful].filter((identity) => createdBy(identity, found).length > 0).length;
    },

    async verify(caller, sessionIds) {
      await inParallel(sessionIds, async (sessionId) => {
        const wrong = await mismatch(caller, entryOf(sessionId));
        assert.equal(wrong, undefined, `session ${sessionId}: ${wrong}`);
      });
    },

    verifyCreates(stored) {
      const visits = [...refused, ...doubtful].map(({ visitId }) => visitId ?? "");
      const found = stored.identitiesOfVisits(visits);
      for (const identity of refused) {
        assert.deepEqual(createdBy(identity, found), [], "a refused create left a session behind");
      }
      for (const identity of doubtful) {
        const left = createdBy(identity, found);
        if (left.length > 0) assert.deepEqual(left, [identity], "a create is there in part");
      }
      refused.clear();
      doubtful.clear();
    },

    async lost(caller) {
      const lost: string[] = [];
      await inParallel([...entries.values()], async (entry) => {
        if ((await mismatch(caller, entry)) !== undefined) lost.push(entry.sessionId);
      });
      return lost;
    },
  };
}

/** Returns the sessions in `found` that only the create with `identity` can have created. */
function createdBy(identity: Identity, found: readonly Identity[]): Identity[] {
  const { visitId, globalVisitId } = identity;
  return found.filter(
    (one) => one.visitId === visitId && (one.globalVisitId === null || one.globalVisitId === globalVisitId),
  );
}

function same(one: Identity, other: Identity): boolean {
  return idFields.every((field) => one[field] === other[field]);
}

/** Calls `work` for every item, 32 at a time. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}
