import assert from "node:assert/strict";
import { anyEvent, type LoggedEvent } from "../../src/session/event.ts";
import { idFields } from "../../src/session/fields.ts";
import type { EventLog } from "../../src/store/ports/events.ts";
import { historyAfter, noHistory, type SessionHistory } from "../support/session-history.ts";
import { expiry, type Known, lifeOf, type Model, type World } from "./known.ts";
import type { Exchange } from "./model.ts";

/*
 * A model of contract.md#events beside that of the rules: after each step, the events of each session lead to the state
 * that the responses have shown. So each acknowledged change has its event, in order, and a refused one has none.
 */

/** The events of a generated sequence so far. */
export interface Published {
  /** Reads the events of a step, and returns the models that agree with all events so far. */
  explain(
    models: readonly Model[],
    exchanges: readonly Exchange[],
    setting: Omit<World, "model">,
  ): Promise<readonly Model[]>;
}

/** Creates a reader that begins at the end of the log. */
export async function followEvents(log: EventLog): Promise<Published> {
  const histories = new Map<string, SessionHistory>();
  const begin = (await log.eventBounds())?.end ?? "";
  let after = begin;
  return {
    async explain(models, exchanges, setting) {
      const page = await readAll(log, after);
      after = page.next;
      const expiries: Expired[] = [];
      for (const event of page.events) {
        if (!("session" in event)) continue;
        const { handle } = event.session;
        // Sessions of earlier sequences expire too.
        if (event.type === "session.expired" && !histories.has(handle)) continue;
        histories.set(handle, historyAfter(histories.get(handle) ?? noHistory, event));
        if (event.type === "session.expired") expiries.push({ handle, at: event.timestamp });
        else assert.equal(event.timestamp, setting.now);
      }
      const isAgreed = (model: Model) =>
        [...histories.keys()].every((handle) => model.has(handle)) &&
        [...model].every(([handle, known]) =>
          isExplained(known, histories.get(handle) ?? noHistory, { ...setting, model }),
        ) &&
        expiries.every(({ handle, at }) => isExpiryTime(model.get(handle), at, setting));
      const agreed = models.filter(isAgreed);
      const erasures = exchanges.filter(({ request }) => request.kind === "erase");
      assert.equal(page.events.filter(({ type }) => type === "customer.erased").length, erasures.length);
      if (erasures.length > 0) assertErased(await readAll(log, begin), agreed);
      return agreed;
    },
  };
}

interface Expired {
  readonly handle: string;
  /** Unix ms. */
  readonly at: number;
}

function isExplained(known: Known, { ids, rotations, over }: SessionHistory, world: World): boolean {
  // Events of an erased session may have been read before it was erased.
  if (known.erased) return true;
  if (idFields.some((field) => known.ids[field] !== (ids[field] ?? null))) return false;
  if (rotations !== known.rotations.length) return false;
  if (over === "ended") return known.over;
  if (known.endedAt !== null) return false;
  return over === null || lifeOf(known, world.now, world.lifetimes) !== "live";
}

function isExpiryTime(known: Known | undefined, at: number, { lifetimes }: Omit<World, "model">): boolean {
  if (known === undefined) return false;
  const { earliest, latest } = expiry(known, lifetimes);
  return at >= earliest && at <= latest;
}

function assertErased({ events }: { readonly events: readonly LoggedEvent[] }, models: readonly Model[]): void {
  for (const event of events) {
    if (!("session" in event)) continue;
    const { handle } = event.session;
    assert.ok(
      models.every((model) => model.get(handle)?.erased !== true),
      "the events of erased sessions are gone",
    );
  }
}

async function readAll(log: EventLog, begin: string): Promise<{ events: readonly LoggedEvent[]; next: string }> {
  const events: LoggedEvent[] = [];
  for (let after = begin; ; ) {
    const page = await log.readEvents({ after, limit: 1000, filter: anyEvent });
    events.push(...page.events);
    after = page.next;
    if (!page.hasMore) return { events, next: after };
  }
}
