import type { Scope } from "../../../session/access.ts";
import { timeAndCount } from "../../../session/id.ts";
import { type KeepingTimes, keptUntil } from "../../../session/kept.ts";
import {
  type Identity,
  idFields,
  isBlank,
  nobody,
  type Session,
} from "../../../session/session.ts";
import type { AssociationRequest, AssociationResult, Creation } from "../../store.ts";
import type { Connection, Operation, Word } from "../connection/connection.ts";
import type { Indices } from "../index/session-index.ts";
import type { Keys } from "../layout/key-names.ts";
import { newNonce } from "../layout/nonce.ts";
import { describedById, idsIn, pack, unpack } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { BAR_LIFE, type Writing } from "./visit-claim.ts";
import { createVisits } from "./visits.ts";

/** The sessions in Redis. */
export interface Sessions {
  find(operation: Operation, id: string): Promise<Session>;
  create(operation: Operation, session: Session): Promise<CreateResult>;
  associate(operation: Operation, request: AssociationRequest): Promise<AssociationResult>;
  /** Stores a renewal of the session at the time of the operation; what follows sees it. Never rejects. */
  renew(session: Session, now: number): void;
  end(operation: Operation, id: string, scope: Scope): Promise<boolean>;
  /** Lets go of everything that is kept of a session, but for its answers. May be repeated. */
  erase(operation: Operation, id: string): Promise<void>;
  /** What scripts know of every session: its key and that of its records, and the words before their own. */
  keysOf(id: string): string[];
  factsOf(operation: Operation, id: string): Word[];
}

/** How long (ms) at least an erased session is known as such: what comes for it later is not kept. */
const GONE_LIFE = 60 * 60 * 1000;

/** Sessions by the rules of `times`. `change` begins a change that is counted. */
export function createSessions(
  connection: Connection,
  keys: Keys,
  times: RetentionPolicy,
  indices: Indices,
  change: (now: number, work: (operation: Operation) => Promise<unknown>) => Promise<unknown>,
): Sessions {
  const { anonymous, recognized } = times.lifetimes;
  const rules = [anonymous.idle, anonymous.total, recognized.idle, recognized.total];
  const keysOf = (id: string) => [keys.session(id), keys.records(id)];
  const factsOf = ({ now }: Operation, id: string): Word[] => [
    now,
    timeAndCount(id).createdAt,
    ...rules,
    times.retention,
  ];
  /** Renewals that are on their way: they show at once, so what follows waits for them. */
  const renewals = new Map<string, Promise<void>>();
  const settled = (id: string) => (renewals.size === 0 ? undefined : renewals.get(id));
  const visits = createVisits(connection, keys, times.lifetimes, indices, factsOf, settled);

  function store(session: Session, now: number): Promise<void> {
    const { id, visitId } = session;
    const stored = change(now, async (operation) => {
      const refreshed = visitId === null ? undefined : visits.refresh(operation, visitId);
      // It may not be stored yet.
      if (isBlank(session)) await indices.enter(operation, id, nobody, true);
      await connection.change(operation, scripts.renewSession, keysOf(id), factsOf(operation, id));
      await refreshed;
    });
    // Not stored: the next use finds the old session, of which a renewal is due again.
    return stored.then(
      () => undefined,
      () => undefined,
    );
  }

  /** A text that is as good as gone, but not gone yet, tells nothing. */
  function told(id: string, text: string | null, now: number): Session {
    if (text === null) return describedById(id, times.lifetimes);
    const session = unpack(id, text);
    return now < purgeAfter(session, true, times) ? session : describedById(id, times.lifetimes);
  }

  /** All of it in one round trip; `claimed` where somebody claims the visit: nothing is done then. */
  async function createAtOnce(
    operation: Operation,
    session: Session,
    text: string,
    ttl: number,
  ): Promise<"created" | "id-taken" | "claimed"> {
    const { id, visitId } = session;
    const claim = visits.claimOf(id, visitId);
    const entries = indices.entriesOf(operation, id, session, true);
    const names = [keys.session(id), ...claim.names, ...entries.names];
    const words = [text, ttl, ...claim.words, ...entries.words];
    const reply = await connection.change(operation, scripts.createSessionCombined, names, words);
    return reply as "created" | "id-taken" | "claimed";
  }

  async function create(operation: Operation, session: Session): Promise<CreateResult> {
    const { id, visitId } = session;
    const text = pack(session);
    const ttl = Math.max(1, purgeAfter(session, false, times) - operation.now);
    if (connection.isOneServer) {
      const outcome = await createAtOnce(operation, session, text, ttl);
      if (outcome !== "claimed") return { outcome };
    }
    const entered = indices.enter(operation, id, besidesVisit(session), true);
    if (visitId === null) {
      await entered;
      const words = [text, "PX", ttl, "NX", "GET"];
      const known = await connection.write(operation, "set", keys.session(id), ...words);
      // Its own text is there when it was sent twice.
      return { outcome: known === null || known === text ? "created" : "id-taken" };
    }
    let outcome: CreateResult["outcome"] = "created";
    const written = visits.obtain(operation, id, visitId, async (nonce) => {
      await entered;
      const names = [keys.session(id), keys.bar(id, nonce)];
      const reply = await connection.change(operation, scripts.createSession, names, [
        text,
        ttl,
        BAR_LIFE,
      ]);
      outcome = reply === "id-taken" ? "id-taken" : "created";
      return reply === "created" ? "done" : reply === "barred" ? "barred" : "refused";
    });
    const [isFree] = await Promise.all([written, entered]);
    if (isFree) return { outcome };
    await indices.leave(operation, id, session).catch(() => {
      // Whoever finds the entry sees that there is no such session.
    });
    return { outcome: "conflict", field: "visitId" };
  }

  /** What every script is told that associates, after its keys. */
  function wordsOf(operation: Operation, { id, ids, scope }: AssociationRequest): Word[] {
    const given = idFields.map((field) => ids[field] ?? "");
    return [...factsOf(operation, id), textOfScope(scope), ...given];
  }

  /** One attempt, under the claim of that nonce if any. */
  async function attempt(
    operation: Operation,
    request: AssociationRequest,
    nonce: string,
    isPrepared: boolean,
  ): Promise<Attempt> {
    const { id } = request;
    const names = [...keysOf(id), keys.bar(id, nonce)];
    const words = [...wordsOf(operation, request), nonce, BAR_LIFE, isPrepared ? 1 : 0];
    const reply = await connection.change(operation, scripts.associateIds, names, words);
    return attemptIn(id, reply);
  }

  /** All of it in one round trip; `unprepared` where somebody else claims the visit: nothing is done then. */
  async function associateAtOnce(
    operation: Operation,
    request: AssociationRequest,
  ): Promise<Attempt> {
    const { id, ids } = request;
    const claim = visits.claimOf(id, ids.visitId);
    const entries = indices.entriesOf(operation, id, ids, true);
    const names = [...keysOf(id), ...claim.names, ...entries.names];
    const words = [...wordsOf(operation, request), ...claim.words, ...entries.words];
    const reply = await connection.change(operation, scripts.associateIdsCombined, names, words);
    return attemptIn(id, reply);
  }

  function attemptIn(id: string, reply: unknown): Attempt {
    const [outcome, detail, which] = reply as [string, string | number | null, number | undefined];
    switch (outcome) {
      case "associated": {
        // Nothing is stored of one that was asked for nothing.
        const session =
          typeof detail === "string" ? unpack(id, detail) : describedById(id, times.lifetimes);
        return { outcome, session };
      }
      case "conflict": {
        const field = idFields[Number(which)] ?? "visitId";
        return { outcome: "refused", hasVisit: detail === 1, result: { outcome, field } };
      }
      case "absent":
        return { outcome: "refused", hasVisit: detail === 1, result: { outcome } };
      case "unprepared":
        return { outcome, stored: typeof detail === "string" ? unpack(id, detail) : null };
      case "barred":
        return { outcome };
      default:
        throw new Error("a script answered with an outcome that is none");
    }
  }

  /**
   * On a cluster first as if everything were there: most associations are repeated with every page. Where
   * something is new, it takes two more round trips: for the indices and the claim of the visit, and to write
   * it. One server does all in the first, unless the visit is claimed.
   */
  async function associate(
    operation: Operation,
    request: AssociationRequest,
  ): Promise<AssociationResult> {
    const tried = connection.isOneServer
      ? await associateAtOnce(operation, request)
      : await attempt(operation, request, "", false);
    if (tried.outcome !== "unprepared") return resultOf(tried);
    const { id, ids } = request;
    const { stored } = tried;
    const added = idFields.filter((field) => ids[field] !== null && stored?.[field] == null);
    const entries = Object.fromEntries(added.map((field) => [field, ids[field]]));
    const entered = indices.enter(operation, id, besidesVisit(entries), stored === null);
    const visitId = added.includes("visitId") ? ids.visitId : null;
    if (visitId === null) {
      await entered;
      return resultOf(await attempt(operation, request, "", true));
    }
    const results: Attempt[] = [];
    const written = visits.obtain(operation, id, visitId, async (nonce) => {
      await entered;
      const result = await attempt(operation, request, nonce, true);
      results.push(result);
      return writingOf(result);
    });
    const [isFree] = await Promise.all([written, entered]);
    if (isFree) return resultOf(results.at(-1) as Attempt);
    return { outcome: "conflict", field: "visitId" };
  }

  async function find(operation: Operation, id: string): Promise<Session> {
    const text = await connection.command(operation, "get", keys.session(id));
    return told(id, text as string | null, operation.now);
  }

  return {
    find(operation, id) {
      const before = settled(id);
      return before === undefined ? find(operation, id) : before.then(() => find(operation, id));
    },
    create,
    async associate(operation, request) {
      await settled(request.id);
      return associate(operation, request);
    },
    renew(session, now) {
      const { id } = session;
      const renewal = Promise.resolve(settled(id))
        .then(() => store(session, now))
        .finally(() => {
          if (renewals.get(id) === renewal) renewals.delete(id);
        });
      renewals.set(id, renewal);
    },
    async end(operation, id, scope) {
      await settled(id);
      const ender = newNonce();
      const words = [...factsOf(operation, id), ender, textOfScope(scope)];
      const reply = await connection.change(operation, scripts.endSession, keysOf(id), words);
      const [wasLive, visitId] = reply as [number, string | undefined];
      if (wasLive === 1 && visitId !== undefined && visitId !== "") {
        await visits.release(operation, id, visitId).catch(() => {
          // It has ended all the same: whoever wants the visit finds that out by itself.
        });
      }
      return wasLive === 1;
    },
    async erase(operation, id) {
      await settled(id);
      const names = keysOf(id);
      const facts = factsOf(operation, id);
      // What tells where the rest lies goes last.
      const text = await connection.change(operation, scripts.eraseSession, names, [
        ...facts,
        0,
        GONE_LIFE,
      ]);
      const ids = text === "" ? noIdentity : idsIn(String(text));
      await Promise.all([
        indices.leave(operation, id, ids),
        ids.visitId === null ? undefined : visits.release(operation, id, ids.visitId),
      ]);
      await connection.change(operation, scripts.eraseSession, names, [...facts, 1, GONE_LIFE]);
    },
    keysOf,
    factsOf,
  };
}

/** What one attempt to associate came to; it may have to be made again. */
type Attempt =
  | Extract<AssociationResult, { outcome: "associated" }>
  /** `hasVisit`: the session has the visit all the same, by another attempt. */
  | {
      readonly outcome: "refused";
      readonly hasVisit: boolean;
      readonly result: AssociationResult;
    }
  | { readonly outcome: "barred" }
  | { readonly outcome: "unprepared"; readonly stored: Session | null };

function resultOf(attempt: Attempt): AssociationResult {
  return attempt.outcome === "refused" ? attempt.result : (attempt as AssociationResult);
}

function writingOf(attempt: Attempt): Writing {
  if (attempt.outcome === "associated") return "done";
  if (attempt.outcome !== "refused") return "barred";
  return attempt.hasVisit ? "refused-holding" : "refused";
}

/** The ids in whose indices a session is entered by itself: that of the visit comes with its claim. */
function besidesVisit(ids: Partial<Identity>): Partial<Identity> {
  return { ...ids, visitId: null };
}

function textOfScope(scope: Scope): string {
  if (scope === "everyone") return "*";
  return scope.customerId === null ? "-" : `=${scope.customerId}`;
}
