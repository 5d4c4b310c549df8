import * as fc from "fast-check";
import type { Scope } from "../../src/session/access.ts";
import type { Identity } from "../../src/session/session.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../support/sessions.ts";
import type { Request } from "./model.ts";

/**
 * A request before its names are filled in: sessions by the order in which they began, ids by small
 * numbers, so that a shrunk counterexample can be read.
 */
export interface Draft {
  readonly kind: Request["kind"];
  /** Which session: the newest, the two before it, or 3: none. */
  readonly target: number;
  readonly ids: Identity;
  readonly scope: Scope;
}

/** What happens at one moment: some time passes, then several clients ask at once. */
export interface Step {
  readonly wait: number;
  readonly drafts: readonly Draft[];
}

const maybe = (letter: string) =>
  fc.option(fc.constantFrom(`${letter}0`, `${letter}1`), { nil: null, freq: 3 });

const identity: fc.Arbitrary<Identity> = fc.record({
  agentId: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: maybe("a") },
  ),
  customerId: maybe("c"),
  visitId: maybe("v"),
  globalVisitId: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: maybe("g") },
  ),
});

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

/**
 * Sequences of operations by up to three clients at once, of the kinds given (repeated for weight).
 * The first is a creation: on nothing at all most operations come to the same.
 */
export function sequences(
  kinds: readonly Request["kind"][],
  longest: number,
): fc.Arbitrary<Step[]> {
  const draftOf = (kind: fc.Arbitrary<Request["kind"]>): fc.Arbitrary<Draft> =>
    fc.record({ kind, target: fc.nat(3), ids: identity, scope });
  const draft = draftOf(fc.constantFrom(...kinds));
  const drafts = fc.oneof(
    { weight: 3, arbitrary: fc.array(draft, { minLength: 1, maxLength: 1 }) },
    { weight: 1, arbitrary: fc.array(draft, { minLength: 2, maxLength: 3 }) },
  );
  const begin = draftOf(fc.constant("create")).map((first) => ({ wait: 0, drafts: [first] }));
  const steps = fc.array(fc.record({ wait, drafts }), { minLength: 1, maxLength: longest - 1 });
  return fc.tuple(begin, steps).map(([first, others]) => [first, ...others]);
}

/** Ids of nobody's session: what real clients send, a forgery, an id of another server. */
const strangers = [
  "00000000-0000-0000-0000-0000000000",
  "undefined",
  "A".repeat(40),
  "AaIH2SF7AQLw8fLz9PX29_j5ZLrPIbQ2bYa2CORw",
];

function strangerOf(known: readonly string[]): string {
  return strangers[known.length % strangers.length] ?? "";
}

/**
 * The request of a draft. `known` are the ids of the sessions so far, oldest first; `suffix` keeps
 * the visits and people of one run apart from those of every other.
 */
export function requestOf(draft: Draft, known: readonly string[], suffix: string): Request {
  const own = (value: string | null) => (value === null ? null : value + suffix);
  const { kind, target } = draft;
  const ids: Identity = {
    agentId: own(draft.ids.agentId),
    customerId: own(draft.ids.customerId),
    visitId: own(draft.ids.visitId),
    globalVisitId: own(draft.ids.globalVisitId),
  };
  const id = (target < 3 ? (known.at(-1 - target) ?? known[0]) : undefined) ?? strangerOf(known);
  const reach: Scope =
    draft.scope === "everyone" ? "everyone" : { customerId: own(draft.scope.customerId) };
  // Only headers count when a session is retrieved.
  if (kind === "retrieve") {
    return { kind, id, ids: { ...ids, visitId: null, globalVisitId: null }, scope: reach };
  }
  return { kind, id, ids, scope: reach };
}
