import { idFields } from "../../src/session/fields.ts";
import type { SessionFilter } from "../../src/session/filter.ts";
import { expiry, type Known, lifeOf, type Model, type World } from "./known.ts";
import type { Seen } from "./model.ts";

/*
 * Requests of operators: listing sessions by their fields, page by page, ending them, and erasing a customer. They are
 * sent one at a time. Each filter contains an id, whose suffix limits it to the sessions of one generated sequence.
 */

/** A request about many sessions. */
export type ManyRequest =
  | { readonly kind: "list"; readonly filter: SessionFilter; readonly limit: number }
  | { readonly kind: "end-many"; readonly filter: SessionFilter; readonly isDry: boolean }
  | { readonly kind: "erase"; readonly customerId: string };

/** The result of a request about many sessions: all pages together, or the number of sessions. */
export type ManyReply =
  | { readonly kind: "list"; readonly sessions: readonly Listed[]; readonly total: number | null }
  | { readonly kind: "count"; readonly sessions: number };

/** A session as a list shows it. */
export type Listed = Omit<Seen, "id"> & { readonly handle: string };

type ListRequest = Extract<ManyRequest, { kind: "list" }>;
type ListReply = Extract<ManyReply, { kind: "list" }>;
type CountReply = Extract<ManyReply, { kind: "count" }>;

/** Whether a statement is true, according to contract.md#finding-and-ending-many. */
type Certainty = "yes" | "no" | "either";

/** Returns whether data of the session are still stored, which they are until its retention ends. */
function isKept(known: Known, { now, lifetimes, retention }: World): Certainty {
  if (known.erased) return "no";
  const { earliest, latest } = expiry(known, lifetimes);
  if (now < (known.endedAt ?? earliest) + retention) return "yes";
  return now > (known.endedAt ?? latest) + retention ? "no" : "either";
}

function isInState(known: Known, live: boolean | null, { now, lifetimes }: World): Certainty {
  const life = lifeOf(known, now, lifetimes);
  if (live === null) return "yes";
  if (life === "either") return "either";
  return (life === "live") === live ? "yes" : "no";
}

/** Returns whether the filter matches the session, whether or not the session is live. */
function isMatch({ ids, createdAt }: Known, filter: SessionFilter): boolean {
  const isRecognized = ids.customerId !== null || ids.agentId !== null;
  return (
    idFields.every((field) => filter[field] === null || filter[field] === ids[field]) &&
    (filter.state === null || (filter.state === "recognized") === isRecognized) &&
    (filter.since === null || createdAt >= filter.since) &&
    (filter.until === null || createdAt < filter.until)
  );
}

/** Returns the sessions that a list must contain, and the sessions that it may contain. */
function expectedIn(world: World, filter: SessionFilter) {
  const matching = [...world.model].filter(([, known]) => isMatch(known, filter));
  const judged = matching.map(([id, known]) => {
    const both = [isKept(known, world), isInState(known, filter.live, world)];
    return {
      id,
      certainty: both.includes("no") ? "no" : both.includes("either") ? "either" : "yes",
    };
  });
  const of = (...certainties: string[]) =>
    judged.filter(({ certainty }) => certainties.includes(certainty)).map(({ id }) => id);
  return { must: of("yes"), may: new Set(of("yes", "either")) };
}

/** Checks a list: it has each matching session once, newest first, with its known state. */
export function explainList(world: World, { filter }: ListRequest, { sessions, total }: ListReply): Model | undefined {
  const { must, may } = expectedIn(world, filter);
  const ids = sessions.map(({ handle }) => handle);
  if (must.some((id) => !ids.includes(id)) || ids.some((id) => !may.has(id))) return undefined;
  const bytes = ids.map((id) => Buffer.from(id, "base64url"));
  if (bytes.some((one, i) => i > 0 && one.compare(bytes[i - 1] as Buffer) >= 0)) return undefined;
  if (!sessions.every((listed, i) => isAllowed(world, ids[i] ?? "", listed))) return undefined;
  if (!isTotal(world, filter, total)) return undefined;
  // The list shows which sessions have ended or expired.
  const next = new Map(world.model);
  for (const id of filter.live === false ? ids : []) {
    next.set(id, { ...(next.get(id) as Known), over: true });
  }
  return next;
}

function isAllowed({ model, lifetimes }: World, id: string, listed: Listed): boolean {
  const known = model.get(id);
  if (known === undefined || listed.createdAt !== known.createdAt) return false;
  if (idFields.some((field) => listed[field] !== known.ids[field])) return false;
  const { earliest, latest } = expiry(known, lifetimes);
  return known.over || (listed.expiresAt >= earliest && listed.expiresAt <= latest);
}

/** Checks the total, which is given only for a filter of one id. Sessions that are about to be purged may count. */
function isTotal(world: World, filter: SessionFilter, total: number | null): boolean {
  const given = Object.values(filter).filter((value) => value !== null);
  if (given.length !== 1) return total === null;
  const { must } = expectedIn(world, filter);
  const most = [...world.model.values()].filter((one) => !one.erased && isMatch(one, filter));
  return total !== null && total >= must.length && total <= most.length;
}

/** Checks the number of matching live sessions that were ended or only counted. */
export function explainEndMany(
  world: World,
  { filter, isDry }: Extract<ManyRequest, { kind: "end-many" }>,
  { sessions }: CountReply,
): Model | undefined {
  const { must, may } = expectedIn(world, { ...filter, live: true });
  if (sessions < must.length || sessions > may.size) return undefined;
  if (isDry) return world.model;
  const next = new Map(world.model);
  for (const id of may) {
    const known = next.get(id) as Known;
    // A session that had already expired did so at an earlier, unknown time.
    next.set(id, { ...known, over: true, endedAt: must.includes(id) ? world.now : null });
  }
  return next;
}

/** Checks an erasure. Afterwards nothing of the customer's sessions remains. */
export function explainErase(
  world: World,
  { customerId }: Extract<ManyRequest, { kind: "erase" }>,
  { sessions }: CountReply,
): Model | undefined {
  const theirs = [...world.model].filter(([, known]) => known.ids.customerId === customerId && !known.erased);
  const kept = theirs.filter(([, known]) => isKept(known, world) === "yes");
  if (sessions < kept.length || sessions > theirs.length) return undefined;
  const next = new Map(world.model);
  for (const [id, known] of theirs) next.set(id, { ...known, over: true, erased: true });
  return next;
}
