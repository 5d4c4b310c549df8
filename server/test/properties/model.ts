import { idFields } from "../../src/session/fields.ts";
import { handleOf } from "../../src/session/id.ts";
import type { Scope } from "../../src/session/permissions.ts";
import { type Identity, identityOf, noIdentity } from "../../src/session/session.ts";
import { generationOf } from "../support/sessions.ts";
import { type DataReply, type DataRequest, explainData, isDataRequest, NO_DATA } from "./data.ts";
import { expiry, type Known, type Life, lifeOf, type Model, type World } from "./known.ts";
import { explainEndMany, explainErase, explainList, type ManyReply, type ManyRequest } from "./many.ts";

/*
 * A model of contract.md#rules, and of finding, ending and erasing many sessions, that a person can check by reading
 * it. It does not compute responses. Given a request and its response, it says whether the response is allowed, and
 * what is then known. So it can follow several clients at once, in an unknown order.
 *
 * Expiry is uncertain by design (contract.md#rule-6): up to a tenth of the idle time early, never late. Between
 * `earliest` and `latest` the model allows both responses, and learns from the actual one.
 */

/** A session as a response shows it; times in Unix ms. */
export interface Seen extends Identity {
  readonly id: string;
  readonly createdAt: number;
  readonly lastActiveAt: number;
  readonly expiresAt: number;
}

/** A client's request. */
export type Request =
  | { readonly kind: "create"; readonly ids: Identity }
  | {
      readonly kind: "retrieve";
      readonly id: string;
      readonly ids: Identity;
      readonly scope: Scope;
    }
  | { readonly kind: "head"; readonly id: string; readonly scope: Scope }
  | {
      readonly kind: "update";
      readonly id: string;
      readonly ids: Identity;
      readonly scope: Scope;
      readonly rotate: boolean;
    }
  | { readonly kind: "end"; readonly id: string; readonly scope: Scope }
  | DataRequest
  | ManyRequest;

/** Result of a client's request. */
export type Reply =
  | { readonly kind: "session"; readonly session: Seen }
  | { readonly kind: "refused"; readonly code: string; readonly field?: string }
  | { readonly kind: "done"; readonly value: boolean }
  | DataReply
  | ManyReply;

/** Returns the model after `reply`, or `undefined` if contract.md does not allow that reply to `request`. */
function explain(world: World, request: Request, reply: Reply): Model | undefined {
  if (isDataRequest(request)) return explainDataRequest(world, request, reply);
  switch (request.kind) {
    case "create":
      return reply.kind === "session"
        ? created(world, request.ids, reply.session)
        : refusedVisit(world, request.ids, undefined, reply);
    case "retrieve":
      return explainRetrieve(world, request, reply);
    case "head":
      return explainHead(world, request, reply);
    case "update":
      return explainUpdate(world, request, reply);
    case "end":
      return explainEnd(world, request, reply);
    case "list":
      return reply.kind === "list" ? explainList(world, request, reply) : undefined;
    case "end-many":
      return reply.kind === "count" ? explainEndMany(world, request, reply) : undefined;
    case "erase":
      return reply.kind === "count" ? explainErase(world, request, reply) : undefined;
  }
}

/** Maximum difference (ms) between a session's creation time and the time of the request in the test. */
const MAX_DISTANCE = 5000;

/** Returns the model after a create with these ids; `undefined` if the session is not new or its visit was held. */
function created(world: World, ids: Identity, seen: Seen): Model | undefined {
  const { model, now } = world;
  if (model.has(handleOf(seen.id)) || generationOf(seen.id) !== 0 || seen.createdAt !== seen.lastActiveAt)
    return undefined;
  // If there are too many ids in a millisecond, the next ones have a time close to it.
  if (Math.abs(seen.createdAt - now) > MAX_DISTANCE) return undefined;
  const next = withVisitTaken(world, ids.visitId, handleOf(seen.id));
  const known = {
    ids,
    createdAt: seen.createdAt,
    usedAt: now,
    over: false,
    endedAt: null,
    erased: false,
    rotations: [],
    data: NO_DATA,
  };
  return next && fits({ ...world, model: next }, seen, known);
}

/** Returns the model after a use of the known session; `undefined` if `seen` is not the session's present state. */
function fits(world: World, seen: Seen, known: Known): Model | undefined {
  if (idFields.some((field) => seen[field] !== known.ids[field])) return undefined;
  if (generationOf(seen.id) !== known.rotations.length) return undefined;
  if (seen.createdAt !== known.createdAt || seen.lastActiveAt > world.now) return undefined;
  const { earliest, latest } = expiry(known, world.lifetimes);
  if (seen.expiresAt < earliest || seen.expiresAt > latest) return undefined;
  return new Map(world.model).set(handleOf(seen.id), known);
}

/**
 * Returns the model after the session got the visit. This shows that every other session with the visit is over.
 * `undefined` if one of those is certainly live: then the service may not give the visit to this one.
 */
function withVisitTaken(world: World, visitId: string | null, handle: string): Model | undefined {
  const next = new Map(world.model);
  for (const [other, known] of world.model) {
    if (visitId === null || other === handle || known.ids.visitId !== visitId) continue;
    if (lifeOf(known, world.now, world.lifetimes) === "live") return undefined;
    next.set(other, { ...known, over: true });
  }
  return next;
}

/** Returns the model if the visit may be refused, because another session that may be live holds it. */
function refusedVisit(
  { model, now, lifetimes }: World,
  ids: Identity,
  id: string | undefined,
  reply: Reply,
): Model | undefined {
  if (reply.kind !== "refused" || reply.code !== "already-exists") return undefined;
  if (reply.field !== "visitId" || ids.visitId === null) return undefined;
  const held = [...model].some(
    ([other, known]) =>
      (id === undefined || other !== handleOf(id)) &&
      known.ids.visitId === ids.visitId &&
      lifeOf(known, now, lifetimes) !== "over",
  );
  return held ? model : undefined;
}

/** Returns what is known of the session that this id, if it is not retired, opens. */
function openedBy({ model }: World, id: string): Known | undefined {
  const known = model.get(handleOf(id));
  return known !== undefined && known.rotations.length === generationOf(id) ? known : undefined;
}

/** Returns whether the session with this id is live for a caller with this scope. */
function presence(world: World, id: string, scope: Scope): Life {
  const { now, lifetimes } = world;
  const known = openedBy(world, id);
  if (known === undefined) return "over";
  const owner = known.ids.customerId;
  if (owner !== null && scope !== "everyone" && scope.customerId !== owner) return "over";
  return lifeOf(known, now, lifetimes);
}

/** Returns the model after the session `id` turned out not to be live. */
function withOver(world: World, id: string, scope: Scope): World {
  const known = openedBy(world, id);
  if (known === undefined || presence(world, id, scope) !== "either") return world;
  return withKnownOver(world, id, known);
}

function withKnownOver(world: World, id: string, known: Known): World {
  return { ...world, model: new Map(world.model).set(handleOf(id), { ...known, over: true }) };
}

/** A session whose id was retired a short time ago. */
interface Retired {
  readonly known: Known;
  /** `either`: the session may have expired already. */
  readonly life: Life;
}

/** Returns the session of a retired id in its grace; `undefined` for any other id. */
function retiredBy({ model, now, lifetimes, rotationGrace }: World, id: string, scope: Scope): Retired | undefined {
  const known = model.get(handleOf(id));
  const rotation = known?.rotations[generationOf(id)];
  if (known === undefined || rotation === undefined || now - rotation.at >= rotationGrace) return undefined;
  const { owner } = rotation;
  if (owner !== null && scope !== "everyone" && scope.customerId !== owner) return undefined;
  return { known, life: lifeOf(known, now, lifetimes) };
}

/** Returns whether the response shows the anonymous session of a retired id. The session is not renewed. */
function isRetiredView(world: World, known: Known, seen: Seen): boolean {
  const { anonymous, recognized } = world.lifetimes;
  const { latest } = expiry({ ...known, ids: noIdentity }, world.lifetimes);
  // The stored renewal may be up to a tenth of the idle time older than the last use.
  const lag = Math.max(anonymous.idle, recognized.idle) / 10;
  const isInTime = seen.expiresAt >= latest - lag && seen.expiresAt <= latest;
  return idFields.every((field) => seen[field] === null) && seen.createdAt === known.createdAt && isInTime;
}

function explainRetrieve(
  world: World,
  { id, ids, scope }: Extract<Request, { kind: "retrieve" }>,
  reply: Reply,
): Model | undefined {
  if (reply.kind !== "session") return undefined;
  const retired = retiredBy(world, id, scope);
  if (retired !== undefined) {
    const { known, life } = retired;
    if (reply.session.id === id) {
      return life !== "over" && isRetiredView(world, known, reply.session) ? world.model : undefined;
    }
    return life === "live" ? undefined : created(withKnownOver(world, id, known), ids, reply.session);
  }
  const life = presence(world, id, scope);
  const known = openedBy(world, id);
  if (reply.session.id === id) {
    // A retrieval never returns an id that the server did not create, or whose session is over (contract.md#rule-3).
    if (life === "over" || known === undefined) return undefined;
    return fits(world, reply.session, { ...known, usedAt: world.now });
  }
  if (life === "live") return undefined;
  return created(withOver(world, id, scope), ids, reply.session);
}

function explainHead(world: World, { id, scope }: Extract<Request, { kind: "head" }>, reply: Reply): Model | undefined {
  const retired = retiredBy(world, id, scope);
  const isFound = reply.kind === "done" && reply.value;
  if (retired !== undefined && isFound) return retired.life === "over" ? undefined : world.model;
  if (retired !== undefined) {
    return retired.life === "live" ? undefined : withKnownOver(world, id, retired.known).model;
  }
  const life = presence(world, id, scope);
  const known = openedBy(world, id);
  if (isFound) {
    if (life === "over" || known === undefined) return undefined;
    return new Map(world.model).set(handleOf(id), { ...known, usedAt: world.now });
  }
  if (reply.kind !== "refused" || reply.code !== "session-not-found") return undefined;
  return life === "live" ? undefined : withOver(world, id, scope).model;
}

function explainUpdate(world: World, request: Extract<Request, { kind: "update" }>, reply: Reply): Model | undefined {
  const { id, ids, scope, rotate } = request;
  const nothing = idFields.every((field) => ids[field] === null) && !rotate;
  const life = presence(world, id, scope);
  if (reply.kind === "refused") {
    if (reply.code === "nothing-to-associate") {
      return nothing && life !== "over" ? world.model : undefined;
    }
    if (reply.code === "session-not-found") {
      return life === "live" ? undefined : withOver(world, id, scope).model;
    }
  }
  const known = openedBy(world, id);
  if (nothing || life === "over" || known === undefined) return undefined;
  const clash = idFields.find(
    (field) => ids[field] !== null && known.ids[field] !== null && ids[field] !== known.ids[field],
  );
  if (reply.kind === "refused") {
    if (clash === undefined) return refusedVisit(world, ids, id, reply);
    return reply.code === "already-exists" && reply.field === clash ? world.model : undefined;
  }
  if (reply.kind !== "session" || handleOf(reply.session.id) !== handleOf(id) || clash !== undefined) return undefined;
  // The generation of the id in the response must fit.
  const rotations = rotate ? [...known.rotations, { at: world.now, owner: known.ids.customerId }] : known.rotations;
  return updated(world, { ...known, rotations }, ids, reply.session);
}

function updated(world: World, known: Known, ids: Identity, seen: Seen): Model | undefined {
  const merged = identityOf((field) => known.ids[field] ?? ids[field]);
  const model = withVisitTaken(world, merged.visitId, handleOf(seen.id));
  return model && fits({ ...world, model }, seen, { ...known, ids: merged, usedAt: world.now });
}

function explainEnd(world: World, { id, scope }: Extract<Request, { kind: "end" }>, reply: Reply): Model | undefined {
  if (reply.kind !== "done") return undefined;
  const life = presence(world, id, scope);
  const known = openedBy(world, id);
  if (reply.value) {
    if (life === "over" || known === undefined) return undefined;
    return new Map(world.model).set(handleOf(id), { ...known, over: true, endedAt: world.now });
  }
  return life === "live" ? undefined : withOver(world, id, scope).model;
}

function explainDataRequest(world: World, request: DataRequest, reply: Reply): Model | undefined {
  const { id, scope } = request;
  const life = presence(world, id, scope);
  if (reply.kind === "refused" && reply.code === "session-not-found") {
    return life === "live" ? undefined : withOver(world, id, scope).model;
  }
  // Retired ids and ids of somebody else's session reach no data (contract.md#rule-9 and contract.md#rule-4).
  const known = openedBy(world, id);
  if (life === "over" || known === undefined) return undefined;
  const next = explainData(known, request, reply);
  return next && new Map(world.model).set(handleOf(id), { ...next, usedAt: world.now });
}

/** A request of a client, and its result. */
export interface Exchange {
  readonly request: Request;
  readonly reply: Reply;
}

/**
 * Returns all models that explain simultaneous requests, in any order, starting from one of `models`. If there are
 * none, the service broke the contract (contract.md#rules).
 */
export function explainAll(
  models: readonly Model[],
  exchanges: readonly Exchange[],
  setting: Omit<World, "model">,
): Model[] {
  if (exchanges.length === 0) return [...models];
  const results = exchanges.flatMap(({ request, reply }, i) => {
    const next = models
      .map((model) => explain({ ...setting, model }, request, reply))
      .filter((model) => model !== undefined);
    if (next.length === 0) return [];
    return explainAll(next, exchanges.toSpliced(i, 1), setting);
  });
  return distinct(results);
}

function distinct(models: readonly Model[]): Model[] {
  return [...new Map(models.map((model) => [fingerprint(model), model])).values()];
}

function fingerprint(model: Model): string {
  return JSON.stringify([...model].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
