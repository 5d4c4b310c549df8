import assert from "node:assert/strict";
import { createIdIssuer, timeAndCount } from "../../../src/session/id.ts";
import { implicitSession, type Lifetimes, newSession } from "../../../src/session/lifetime.ts";
import type { Scope } from "../../../src/session/permissions.ts";
import { type Identity, isLive, type Session } from "../../../src/session/session.ts";
import { hasTraits, type Traits } from "../../../src/session/traits.ts";
import type { StoreEngine } from "../../../src/store/ports/engine.ts";
import type { IdempotentRequest, Replay } from "../../../src/store/ports/idempotency.ts";
import type { StoreEvents } from "../../../src/store/ports/lifecycle.ts";
import type { AssociationResult } from "../../../src/store/ports/sessions.ts";
import { DAY, ids, START, lifetimes as usual } from "../../support/sessions.ts";

/** A storage of the engine under test, empty at first. */
export interface Data extends AsyncDisposable {
  /** True if the engine expires data by itself. Its purge then does nothing and reports nothing. */
  readonly expiresByItself?: true | undefined;
  /** Opens the engine. An engine that was opened before must be closed. */
  open(options: { lifetimes: Lifetimes; events: StoreEvents; now: number }): Promise<StoreEngine>;
}

/** Ids, profile and label that a test gives. */
export type Given = Partial<Identity & Traits>;

function traitsOf({ profile = null, label = null }: Given): Traits {
  return { profile, label };
}

/** Returns ids and traits as a request has them: without traits if none is given. */
function contentOf({ profile = null, label = null, ...given }: Given) {
  const traits = { profile, label };
  return { ids: ids(given), ...(hasTraits(traits) ? { traits } : {}) };
}

/** Creates an empty storage. */
export type DataFactory = () => Promise<Data>;

export interface RotationOptions {
  readonly given?: Given;
  readonly scope?: Scope;
  readonly idempotent?: IdempotentRequest;
}

/** Fixture for a test of a port: an engine with its own data, and a clock that the test sets. */
export interface World extends AsyncDisposable {
  readonly store: StoreEngine;
  readonly lifetimes: Lifetimes;
  /** Returns how many of `sessions` expired ones a purge reports: all, or 0 if the engine expires data by itself. */
  purged(sessions: number): number;
  /** Events that the engine has reported so far. */
  readonly committed: number[];
  readonly failures: unknown[];
  /** Number of records that were set aside and that the engine has reported as dropped. */
  dropped: number;
  /** Time of every call below, in Unix ms. */
  now: number;
  /** Returns the handle of an id that was issued now, under which nothing is stored. */
  newHandle(): string;
  /** Returns a session as the service would create it now. */
  newSession(given: Given): Session;
  /** Creates and stores a session. Throws if it is refused. */
  create(given: Given): Promise<Session>;
  /** Associates ids and traits with a session that was never rotated. */
  associate(handle: string, given: Given, scope?: Scope): Promise<AssociationResult | Replay>;
  /** Rotates a session of this generation, and associates the given ids. */
  rotate(handle: string, generation: number, more?: RotationOptions): Promise<AssociationResult | Replay>;
  /** Ends a session. Returns false if none is live within the scope. */
  end(handle: string, scope?: Scope): Promise<boolean>;
  /** Returns the implicit session of a handle. */
  implicit(handle: string): Session;
  isLive(handle: string): Promise<boolean>;
  /** Closes the store and opens it again with the same data. */
  reopen(): Promise<void>;
}

/** Limits of the engines under test: records per session, and ms after its end. */
export const MAX_RECORDS = 100;
export const RETENTION = 14 * DAY;

/** Secret that signs the ids of the tests. Engines do not verify ids. */
const secret = new Uint8Array(32).fill(7);

/** Creates a fixture; `await using` closes it. */
export async function openWorld(make: DataFactory, lifetimes = usual): Promise<World> {
  const data = await make();
  const issuer = createIdIssuer([{ bytes: secret, createdAt: 0 }]);
  const committed: number[] = [];
  const failures: unknown[] = [];
  const events: StoreEvents = {
    committed: (changes) => committed.push(changes),
    failed: (error) => failures.push(error),
    recordsLost: (records) => failures.push(`${records} records are lost`),
    recordsDropped(records) {
      world.dropped += records;
    },
    credentialsChanged: () => undefined,
    noticed: () => undefined,
    suspended: () => undefined,
  };
  let store = await data.open({ lifetimes, events, now: START }).catch(async (error: unknown) => {
    await data[Symbol.asyncDispose]();
    throw error;
  });

  const world: World = {
    get store() {
      return store;
    },
    lifetimes,
    purged: (sessions) => (data.expiresByItself === true ? 0 : sessions),
    committed,
    failures,
    dropped: 0,
    now: START,
    newHandle: () => issuer.issue(world.now).handle,
    newSession(given) {
      const { handle, createdAt } = issuer.issue(world.now, world.store.lastByteOfHandle(given.visitId ?? null));
      return newSession(handle, createdAt, ids(given), lifetimes, traitsOf(given));
    },
    async create(given) {
      const session = world.newSession(given);
      assert.deepEqual(await store.create(session, world.now), { outcome: "created" });
      return session;
    },
    associate: (handle, given, scope = "everyone") =>
      store.associate({ handle, generation: 0, ...contentOf(given), scope, now: world.now }),
    rotate: (handle, generation, { given = {}, scope = "everyone", ...more } = {}) =>
      store.associate({ handle, generation, rotate: true, ...contentOf(given), scope, now: world.now, ...more }),
    end: (handle, scope = "everyone") => store.end({ handle, scope, now: world.now }),
    implicit: (handle) => implicitSession(handle, timeAndCount(handle).createdAt, lifetimes),
    isLive: async (handle) => isLive(await store.find(handle), world.now),
    async reopen() {
      await store.close();
      store = await data.open({ lifetimes, events, now: world.now });
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await data[Symbol.asyncDispose]();
    },
  };
  return world;
}

/** Returns the session that was associated; throws for any other outcome. */
export function associated(result: AssociationResult | Replay): Session {
  assert.equal(result.outcome, "associated");
  return (result as { session: Session }).session;
}

/** Purges until four batches in a row find nothing. Returns the number of expired sessions that were found. */
export async function purgeAll(world: World): Promise<number> {
  let expired = 0;
  for (let quiet = 0; quiet < 4; ) {
    const batch = await world.store.purgeExpired(world.now);
    expired += batch.expired;
    quiet = batch.expired > 0 || batch.hasMore ? 0 : quiet + 1;
  }
  return expired;
}
