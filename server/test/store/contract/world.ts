import assert from "node:assert/strict";
import { createIdIssuer } from "../../../src/session/id.ts";
import { implicitSession, type Lifetimes, newSession } from "../../../src/session/lifetime.ts";
import type { Scope } from "../../../src/session/permissions.ts";
import { type Identity, isLive, type Session } from "../../../src/session/session.ts";
import type { StoreEngine } from "../../../src/store/ports/engine.ts";
import type { StoreEvents } from "../../../src/store/ports/lifecycle.ts";
import type { AssociationResult } from "../../../src/store/ports/sessions.ts";
import { DAY, ids, START, lifetimes as usual } from "../../support/sessions.ts";

/** A place for data, empty at first, with the engine under test over it. */
export interface Data extends AsyncDisposable {
  /** The engine lets go by itself: a sweep has nothing to do, and tells of nothing. */
  readonly forgetsByItself?: true;
  /** Opens the data; the one opened before has been closed. */
  open(options: { lifetimes: Lifetimes; events: StoreEvents; now: number }): Promise<StoreEngine>;
}

/** Makes an empty place for data. */
export type DataFactory = () => Promise<Data>;

/** What a test of the port works with: an engine over its own data, and time in the test's hand. */
export interface World extends AsyncDisposable {
  readonly store: StoreEngine;
  readonly lifetimes: Lifetimes;
  /** How many of `sessions` that have expired a sweep tells of, in all. */
  swept(sessions: number): number;
  /** What the engine reported so far. */
  readonly committed: number[];
  readonly failures: unknown[];
  /** The time of every call below, in milliseconds since 1970. */
  now: number;
  /** An authentic id, created now, of which nothing is stored. */
  newId(): string;
  /** A session as the service would make it now. */
  newSession(given: Partial<Identity>): Session;
  /** Stores a new session, which must succeed. */
  create(given: Partial<Identity>): Promise<Session>;
  associate(id: string, given: Partial<Identity>, scope?: Scope): Promise<AssociationResult>;
  /** What an id stands for of which nothing is stored. */
  described(id: string): Session;
  isLive(id: string): Promise<boolean>;
  /** Closes the store and opens it again over the same data. */
  reopen(): Promise<void>;
}

/** What the engines under test keep: so many records a session, and so long (ms) after its end. */
export const MAX_RECORDS = 100;
export const RETENTION = 14 * DAY;

/** The ids are signed under a secret of the test's own: an engine takes them as authentic. */
const secret = new Uint8Array(32).fill(7);

/** Opens a world; `await using` closes it. */
export async function openWorld(make: DataFactory, lifetimes = usual): Promise<World> {
  const data = await make();
  const issuer = createIdIssuer([{ bytes: secret, createdAt: 0 }]);
  const committed: number[] = [];
  const failures: unknown[] = [];
  const events: StoreEvents = {
    committed: (changes) => committed.push(changes),
    failed: (error) => failures.push(error),
    recordsLost: (records) => failures.push(`${records} records are lost`),
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
    swept: (sessions) => (data.forgetsByItself === true ? 0 : sessions),
    committed,
    failures,
    now: START,
    newId: () => issuer.issue(world.now).id,
    newSession(given) {
      const { id, createdAt } = issuer.issue(world.now);
      return newSession(id, createdAt, ids(given), lifetimes);
    },
    async create(given) {
      const session = world.newSession(given);
      assert.deepEqual(await store.create(session, world.now), { outcome: "created" });
      return session;
    },
    associate: (id, given, scope = "everyone") =>
      store.associate({ id, ids: ids(given), scope, now: world.now }),
    described: (id) => implicitSession(id, issuer.verify(id) ?? 0, lifetimes),
    isLive: async (id) => isLive(await store.find(id), world.now),
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

/** The session that was associated; anything else fails the test. */
export function associated(result: AssociationResult): Session {
  assert.equal(result.outcome, "associated");
  return (result as { session: Session }).session;
}

/** Sweeps until nothing is left to do, going round twice; gives how many sessions it found expired. */
export async function sweepAll(world: World): Promise<number> {
  let expired = 0;
  for (let quiet = 0; quiet < 4; ) {
    const slice = await world.store.purgeExpired(world.now);
    expired += slice.expired;
    quiet = slice.expired > 0 || slice.hasMore ? 0 : quiet + 1;
  }
  return expired;
}
