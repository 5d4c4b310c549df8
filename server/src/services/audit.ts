import type { Clock } from "../runtime/clock.ts";
import { Refusal } from "../session/errors.ts";
import type { SessionFilter } from "../session/filter.ts";
import { idFields } from "../session/session.ts";
import { type Act, type Actor, entryAfter } from "../store/audit-chain.ts";
import type { AuditStore } from "../store/ports/audit.ts";

/** What is noted of an act by whoever lets it through. */
export type AuditEvent = Pick<Act, "who" | "what" | "from" | "details">;

/** Writes the audit trail. */
export interface AuditTrail {
  /** Fulfilled when the entry is stored. Refuses with `unavailable`. */
  note(act: AuditEvent, outcome: Act["outcome"]): Promise<void>;
  /**
   * Carries an act out and notes how that went, before it is reported. Where `told` has nothing to tell
   * (`undefined`) nothing was done, and nothing is noted.
   */
  audited<Result>(
    act: AuditEvent,
    carryOut: () => Promise<Result>,
    told?: (result: Result) => Act["details"] | undefined,
  ): Promise<Result>;
  /**
   * Notes, some time soon, that an act was refused: once a minute for each actor and act, with how often
   * it was before, or callers without a right could fill the disk.
   */
  refused(act: AuditEvent): void;
}

const ATTEMPTS = 20;
const REFUSED_EVERY = 60_000;
/** Beyond so many actors the refusals of others are not counted apart. */
const MAX_COUNTED = 1000;

/** The trail in `store`. */
export function createAuditTrail(store: AuditStore, clock: Clock): AuditTrail {
  /** One at a time here; others that append to the same store are met by trying again. */
  let line: Promise<unknown> = Promise.resolve();
  const refusals = new Map<string, { since: number; more: number }>();

  async function append(act: Act): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      if (await store.appendAuditEntry(entryAfter(await store.lastAuditEntry(), act))) return;
    }
    throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 });
  }

  function note(act: AuditEvent, outcome: Act["outcome"]): Promise<void> {
    const appended = line.then(() => append({ ...act, outcome, at: clock() }));
    line = appended.catch(() => undefined);
    return appended;
  }

  return {
    note,
    async audited(act, carryOut, told = () => ({})) {
      let result: Awaited<ReturnType<typeof carryOut>>;
      try {
        result = await carryOut();
      } catch (error) {
        // What went wrong is told; that it cannot be noted as well is no news.
        await note(act, "failed").catch(() => undefined);
        throw error;
      }
      const news = told(result);
      if (news !== undefined) await note({ ...act, details: { ...act.details, ...news } }, "done");
      return result;
    },
    refused(act) {
      const now = clock();
      const name = refusals.size < MAX_COUNTED ? JSON.stringify([act.what, act.who]) : "";
      const known = refusals.get(name);
      if (known !== undefined && now - known.since < REFUSED_EVERY) {
        known.more++;
        return;
      }
      if (known === undefined && refusals.size >= MAX_COUNTED) refusals.clear();
      refusals.set(name, { since: now, more: 0 });
      const before = known === undefined || known.more === 0 ? {} : { refusedBefore: known.more };
      void note({ ...act, details: { ...act.details, ...before } }, "refused").catch(
        () => undefined,
      );
    },
  };
}

/** Whoever works on the machine itself, by what the operating system calls them; `null`: not told. */
export function operator(user: string | null): Actor {
  return { role: "administrator", credential: user, agentId: null };
}
/** Where they are, as the trail has it. */
export const COMMAND_LINE = "command line";

/** Formats a filter for the trail: times as ISO 8601, and without ids, which may have to be erased later. */
export function redactedFilter(
  filter: SessionFilter,
  hash: (id: string) => string,
): Act["details"] {
  const ids: readonly string[] = idFields;
  const given = Object.entries(filter).filter(([, value]) => value !== null);
  return Object.fromEntries(
    given.map(([name, value]) => {
      if (ids.includes(name)) return [name, hash(String(value))];
      const isTime = name === "since" || name === "until";
      return [name, isTime ? new Date(Number(value)).toISOString() : value];
    }),
  );
}
