import { idFields } from "../../src/session/fields.ts";
import type { Identity } from "../../src/session/session.ts";
import { type Failover, type Loss, type LossyState, losing, lossesOf } from "./losses.ts";
import { linearize, type Operation, type SequentialModel, type Verdict } from "./search.ts";
import { type SessionOperation, type SessionResponse, sessionModel } from "./session-model.ts";
import { type VisitOperation, visitModel } from "./visit-model.ts";

/** A request and its result, as its sender saw it. All times are of one clock. */
export interface Event {
  readonly operation: "create" | "associate" | "rotate" | "repeat" | "retrieve" | "end";
  /** The session; `undefined` if it is unknown which session a create has created. */
  readonly session: string | undefined;
  /** The generation of the id in the request; 0 for a create. */
  readonly generation: number;
  readonly ids: Identity;
  readonly response: SessionResponse;
  readonly call: number;
  /** `Infinity` if it is unknown whether, or when, the request took effect. */
  readonly return: number;
}

/** Result of checking a history. */
export interface Report {
  readonly events: number;
  readonly sessions: number;
  readonly visits: number;
  /** Number of acknowledged changes of sessions that a failover undid. */
  readonly lost: number;
  /** Number of responses from a primary that a failover had already replaced. */
  readonly stale: number;
  /** Number of claims of visits that a failover undid. */
  readonly lostClaims: number;
  /** Number of visits that a failover gave to another session while the first one kept it. */
  readonly heldTwice: number;
  /** Descriptions of sessions and visits whose history no order of operations explains. */
  readonly violations: readonly string[];
}

/** Maximum number of losses and stale responses that are tried to explain the history of one session or visit. */
const MAX_LOSSES = 12;

/** For each session and visit, searches for an order of the operations on it that contract.md#rules allows. */
export function checkHistory(events: readonly Event[], failovers: readonly Failover[] = []): Report {
  const report = { lost: 0, stale: 0, lostClaims: 0, heldTwice: 0 };
  const violations: string[] = [];

  const sessions = historiesOfSessions(events);
  for (const [session, history] of sessions) {
    const verdict = leastLosses(sessionModel, history, failovers);
    if (!verdict.explained) violations.push(describe(`session ${session}`, verdict));
    else {
      report.lost += verdict.state.lost;
      report.stale += verdict.state.stale;
    }
  }
  const visits = historiesOfVisits(events);
  for (const [visit, history] of visits) {
    const verdict = leastLosses(visitModel, history, failovers);
    if (verdict.explained) report.lostClaims += verdict.state.lost;
    else if (isHeldTwice(history, failovers)) report.heldTwice++;
    else violations.push(describe(`visit ${visit}`, verdict));
  }
  return {
    events: events.length,
    sessions: sessions.size,
    visits: visits.size,
    ...report,
    violations,
  };
}

function leastLosses<State, Op extends Operation>(
  model: SequentialModel<State, Op>,
  history: readonly Op[],
  failovers: readonly Failover[],
): Verdict<LossyState<State>, Op | Loss> {
  const near = failovers.filter(({ from, to }) => history.some((op) => op.return >= from && op.call <= to));
  const whole = [...history, ...lossesOf(near)];
  for (let budget = 0; ; budget++) {
    const verdict = linearize<LossyState<State>, Op | Loss>(losing(model, near, budget), whole);
    if (verdict.explained || near.length === 0 || budget === MAX_LOSSES) return verdict;
  }
}

/** Returns whether lost claims (reservations) of the visit explain the history, although a session still shows it. */
function isHeldTwice(history: readonly VisitOperation[], failovers: readonly Failover[]): boolean {
  if (failovers.length === 0) return false;
  const claims = history.filter(({ event: visitEvent }) => visitEvent === "taken" || visitEvent === "refused");
  return leastLosses(visitModel, claims, failovers).explained;
}

function historiesOfSessions(events: readonly Event[]): Map<string, SessionOperation[]> {
  const histories = new Map<string, SessionOperation[]>();
  for (const { session, operation, generation, ids, response, ...times } of events) {
    if (session === undefined) continue;
    const label = `${operation} by id ${generation} ${text(ids)} -> ${responseText(response)}`;
    append(histories, session, { operation: kinds[operation], generation, ids, response, label, ...times });
  }
  return histories;
}

const kinds = {
  create: "write",
  associate: "write",
  rotate: "rotate",
  repeat: "repeat",
  retrieve: "read",
  end: "end",
} as const satisfies Record<Event["operation"], SessionOperation["operation"]>;

function historiesOfVisits(events: readonly Event[]): Map<string, VisitOperation[]> {
  const histories = new Map<string, VisitOperation[]>();
  const visitsOf = new Map<string, Set<string>>();
  for (const { session, ids } of events) {
    if (session === undefined || ids.visitId === null) continue;
    visitsOf.set(session, (visitsOf.get(session) ?? new Set()).add(ids.visitId));
  }
  const rotated = new Set(events.flatMap(({ session, operation }) => (operation === "rotate" ? [session] : [])));
  for (const event of events) {
    // A session that is not found by an id that may be retired can be live, and hold the visit.
    const mayBeRetired = event.generation > 0 || rotated.has(event.session);
    if (mayBeRetired && event.response.kind === "absent") continue;
    // If the response gives no session: `somebody` may have got the visit, and `none` was never created.
    const session = event.session ?? (event.response.kind === "unknown" ? "somebody" : "none");
    const own = visitsOf.get(session) ?? new Set();
    const times = { call: event.call, return: event.return };
    for (const visit of event.ids.visitId === null ? own : new Set([event.ids.visitId, ...own])) {
      // If several visits were requested, it is unknown which one was refused.
      const visitEvent = visitEventOf(visit, event, own.size > 1);
      if (visitEvent === undefined) continue;
      append(histories, visit, {
        session,
        event: visitEvent,
        label: `${visitEvent} ${session}`,
        ...times,
      });
    }
  }
  return histories;
}

/** Returns the operation on a visit that an event implies; `undefined` if it implies none. */
function visitEventOf(
  visit: string,
  { operation, ids, response }: Event,
  isAmbiguous: boolean,
): VisitOperation["event"] | undefined {
  const given = ids.visitId === visit;
  switch (response.kind) {
    case "session":
      if (response.ids.visitId !== visit) return undefined;
      return given && operation !== "retrieve" ? "taken" : "held";
    case "conflict":
      return given && response.field === "visitId" && !isAmbiguous ? "refused" : undefined;
    case "absent":
      return "absent";
    case "ended":
      return "ended";
    case "unknown":
      if (operation === "end") return "ended";
      return given && operation !== "retrieve" ? "taken" : undefined;
  }
}

function append<T>(histories: Map<string, T[]>, name: string, op: T): void {
  const history = histories.get(name);
  if (history === undefined) histories.set(name, [op]);
  else history.push(op);
}

function describe(what: string, { order, ...verdict }: Verdict<unknown, Operation>): string {
  const stuck = "stuck" in verdict ? verdict.stuck : [];
  const lines = (ops: readonly Operation[]) =>
    ops.map((op) => `  ${op.call.toFixed(1)} to ${op.return.toFixed(1)}: ${op.label}`).join("\n");
  return `${what}: after\n${lines(order)}\nnone of these can come next\n${lines(stuck)}`;
}

function text(ids: Identity): string {
  const given = idFields.filter((field) => ids[field] !== null);
  return `{${given.map((field) => `${field}: ${ids[field]}`).join(", ")}}`;
}

function responseText(response: SessionResponse): string {
  if (response.kind === "session") return `id ${response.generation} ${text(response.ids)}`;
  return response.kind === "conflict" ? `conflict of ${response.field}` : response.kind;
}
