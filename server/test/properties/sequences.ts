import * as fc from "fast-check";
import { idFields } from "../../src/session/fields.ts";
import { anySession, type SessionFilter } from "../../src/session/filter.ts";
import type { Scope } from "../../src/session/permissions.ts";
import { type Identity, identityOf, noIdentity } from "../../src/session/session.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../support/sessions.ts";
import type { Members } from "./data.ts";
import type { Request } from "./model.ts";

/**
 * A request with numbers instead of ids: sessions are counted in the order of their creation. So a shrunk
 * counterexample is readable.
 */
export interface Draft {
  readonly kind: Request["kind"];
  /** Index of the session: 0 is the newest, 1 and 2 the two before it, 3 none. */
  readonly target: number;
  readonly ids: Identity;
  readonly scope: Scope;
  /** Whether an update rotates. */
  readonly rotate: boolean;
  /** The data that a change of session data sends. */
  readonly members: Members;
  readonly search: Search;
}

/** Selects sessions for a request about many sessions. */
interface Search {
  /** Fields of the draft's `ids` to filter by. If all of them are `null`, the filter is its customer, or `c0`. */
  readonly by: readonly (keyof Identity)[];
  readonly live: boolean | null;
  readonly state: SessionFilter["state"];
  /** Selects sessions created at the time of the target session or later (`since`), or before it (`until`). */
  readonly bound: "since" | "until" | null;
  readonly limit: number;
  readonly isDry: boolean;
}

/** The requests of one moment: some time passes, then several clients send requests at once. */
export interface Step {
  readonly wait: number;
  readonly drafts: readonly Draft[];
}

const maybe = (letter: string) => fc.option(fc.constantFrom(`${letter}0`, `${letter}1`), { nil: null, freq: 3 });

const identity: fc.Arbitrary<Identity> = fc
  .record({
    agentId: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: maybe("a") }),
    customerId: maybe("c"),
    visitId: maybe("v"),
    globalVisitId: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: maybe("g") }),
  })
  .map((given) => ({ ...noIdentity, ...given }));

const scope: fc.Arbitrary<Scope> = fc.oneof(
  { weight: 3, arbitrary: fc.constant("everyone" as const) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("c0", "c1", null).map((customerId) => ({ customerId })),
  },
);

const wait = fc.oneof(
  { weight: 20, arbitrary: fc.constant(0) },
  { weight: 5, arbitrary: fc.constantFrom(1, SECOND, MINUTE, 3 * MINUTE, 10 * MINUTE) },
  { weight: 3, arbitrary: fc.integer({ min: 20 * MINUTE, max: 31 * MINUTE }) },
  { weight: 1, arbitrary: fc.constantFrom(HOUR, 6 * HOUR) },
  { weight: 1, arbitrary: fc.constantFrom(23 * HOUR, DAY) },
);

const rotate = fc.oneof({ weight: 2, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) });

const members: fc.Arbitrary<Members> = fc.dictionary(
  fc.constantFrom("cart", "locale", "__proto__"),
  fc.option(fc.constantFrom("x", "y"), { nil: null, freq: 3 }),
  { maxKeys: 2 },
);

const sometimes = <T>(...values: readonly T[]) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(...values) });

const search: fc.Arbitrary<Search> = fc.record({
  by: fc.subarray([...idFields], { minLength: 1, maxLength: 2 }),
  live: fc.constantFrom(null, null, true, false),
  state: sometimes("anonymous" as const, "recognized" as const),
  bound: sometimes("since" as const, "until" as const),
  limit: fc.integer({ min: 1, max: 3 }),
  isDry: fc.boolean(),
});

/**
 * Generates sequences of requests by up to three simultaneous clients, of the given kinds (repeated for more weight).
 * Requests of the kinds `alone` are sent one at a time. The first request is a create, because most requests need a
 * session.
 */
export function sequences(
  kinds: readonly Request["kind"][],
  alone: readonly Request["kind"][],
  longest: number,
): fc.Arbitrary<Step[]> {
  const draftOf = (kind: fc.Arbitrary<Request["kind"]>): fc.Arbitrary<Draft> =>
    fc.record({ kind, target: fc.nat(3), ids: identity, scope, rotate, members, search });
  const draft = draftOf(fc.constantFrom(...kinds));
  const drafts = fc.oneof(
    { weight: 12, arbitrary: fc.array(draft, { minLength: 1, maxLength: 1 }) },
    { weight: 3, arbitrary: fc.tuple(draftOf(fc.constantFrom(...alone))) },
    { weight: 4, arbitrary: fc.array(draft, { minLength: 2, maxLength: 3 }) },
  );
  const begin = draftOf(fc.constant("create")).map((first) => ({ wait: 0, drafts: [first] }));
  const steps = fc.array(fc.record({ wait, drafts }), { minLength: 1, maxLength: longest - 1 });
  return fc.tuple(begin, steps).map(([first, others]) => [first, ...others]);
}

/** Ids without a session: values that real clients send, a forgery, and an id of another server. */
const unknownIds = [
  "00000000-0000-0000-0000-0000000000",
  "undefined",
  "A".repeat(40),
  "AaIH2SF7AQLw8fLz9PX29_j5ZLrPIbQ2bYa2CORw",
];

function unknownId(known: readonly string[]): string {
  return unknownIds[known.length % unknownIds.length] ?? "";
}

/**
 * Returns the request of a draft. `known` are the ids of the sessions so far, oldest first. `suffix` distinguishes the
 * visits and people of one generated sequence from those of others, since all use the same store.
 */
export function requestOf(draft: Draft, known: readonly string[], suffix: string): Request {
  const own = (value: string | null) => (value === null ? null : value + suffix);
  const { kind, target } = draft;
  const ids = identityOf((field) => own(draft.ids[field]));
  const id = (target < 3 ? (known.at(-1 - target) ?? known[0]) : undefined) ?? unknownId(known);
  const reach: Scope = draft.scope === "everyone" ? "everyone" : { customerId: own(draft.scope.customerId) };
  // A retrieval uses only the ids in headers.
  if (kind === "retrieve") {
    return { kind, id, ids: { ...ids, visitId: null, globalVisitId: null }, scope: reach };
  }
  if (kind === "list" || kind === "end-many" || kind === "erase") return manyOf(draft, kind, id, own);
  if (kind === "update") return { kind, id, ids, scope: reach, rotate: draft.rotate };
  if (kind === "read-data" || kind === "clear-data") return { kind, id, scope: reach };
  if (kind === "merge-data" || kind === "replace-data") return { kind, id, scope: reach, members: draft.members };
  return { kind, id, ids, scope: reach };
}

function manyOf(
  { ids, search: { by, live, state, bound, limit, isDry } }: Draft,
  kind: "list" | "end-many" | "erase",
  target: string,
  own: (value: string | null) => string | null,
): Request {
  const customerId = own(ids.customerId ?? "c0") as string;
  if (kind === "erase") return { kind, customerId };
  const given = by.filter((field) => ids[field] !== null);
  const wanted = given.length === 0 ? { customerId } : pick(ids, given, own);
  const at = Buffer.from(target, "base64url").readUIntBE(0, 6);
  const time = bound === null ? {} : { [bound]: at };
  const filter = { ...anySession, ...wanted, ...time, state };
  if (kind === "end-many") return { kind, filter, isDry };
  return { kind, filter: { ...filter, live }, limit };
}

function pick(
  ids: Identity,
  fields: readonly (keyof Identity)[],
  own: (value: string | null) => string | null,
): Partial<Identity> {
  return Object.fromEntries(fields.map((field) => [field, own(ids[field])]));
}
