import { setTimeout as delay } from "node:timers/promises";
import { Refusal } from "../../session/errors.ts";
import { type Lifetimes, renewed } from "../../session/lifetime.ts";
import type { RetentionPolicy } from "../../session/retention.ts";
import { hasNoIds, noIdentity, type Session } from "../../session/session.ts";
import { StoreOpenError } from "../open-error.ts";
import type { Creation, Once, Repetition, SessionStore, StoreEvents } from "../store.ts";
import { createChanges } from "./connection/admission.ts";
import type { RedisPlace } from "./connection/client.ts";
import type { Connection, Operation } from "./connection/connection.ts";
import { RedisFault } from "./connection/faults.ts";
import { inaccessible, openConnection } from "./connection/open-connection.ts";
import { createFixed } from "./globals/globals.ts";
import { startHeartbeat } from "./globals/heartbeat.ts";
import { createIndices } from "./index/session-index.ts";
import { createKeys } from "./layout/key-names.ts";
import { pack, unpack } from "./layout/session-codec.ts";
import { createPortionReader } from "./operations/export.ts";
import { batchOf, createAnswers } from "./operations/idempotency.ts";
import { createAdopt } from "./operations/import.ts";
import { createStretchReader } from "./records/record-pages.ts";
import { createRecords } from "./records/record-queue.ts";
import { createSessions } from "./sessions/sessions.ts";

/** How the engine over Redis is set up; times in milliseconds. */
export interface RedisStoreOptions {
  readonly place: RedisPlace;
  /** What the names of all keys begin with. */
  readonly prefix: string;
  readonly lifetimes: Lifetimes;
  /** How many records a session keeps; the oldest are let go. */
  readonly maxRecords: number;
  /** How long what is told of a session is kept after its end. */
  readonly retention: number;
  /** Changes that may be under way; one more is refused. */
  readonly maxPending: number;
  /** How long a request may wait for Redis, in all. */
  readonly timeout: number;
  /** How many replicas must have a change before it is reported as stored; 0: none. */
  readonly minReplicasAck: number;
  /** How long opening waits for the servers. */
  readonly patience: number;
  readonly events: StoreEvents;
  readonly now: number;
  /** The wall clock, Unix ms; compared with that of Redis. */
  readonly wall: () => number;
  /**
   * `serve`: to serve requests; `move`: to move everything into or out of the store, refused with `in-use` while a
   * server runs on it; `look`: for a command that needs existing data, refused with `missing` without them;
   * `command`: for anything else, such as the first API key.
   */
  readonly purpose: "serve" | "move" | "look" | "command";
}

/**
 * The engine over Redis: stateless, so any number of processes may work on the same data. Nothing is
 * kept at hand, as another process may change it. Throws `StoreOpenError`.
 */
export async function openRedisStore(options: RedisStoreOptions): Promise<StoreEngine> {
  const { events, maxPending } = options;
  const changes = createChanges(maxPending, events);
  const connection = await openConnection({
    ...options,
    isRepeatable: true,
    failed: changes.failed,
    waiting: (message) => events.noticed("warn", message),
  });
  try {
    return await createStore(connection, changes, options);
  } catch (error) {
    connection.close();
    throw error instanceof StoreOpenError ? error : inaccessible(options, error);
  }
}

async function createStore(
  connection: Connection,
  changes: ReturnType<typeof createChanges>,
  options: RedisStoreOptions,
): Promise<StoreEngine> {
  const { lifetimes, retention, maxRecords, events, wall } = options;
  const times: RetentionPolicy = { lifetimes, retention };
  const keys = createKeys(options.prefix);
  const fixed = createFixed(connection, keys, options.purpose === "serve");
  const answers = createAnswers(connection, keys);
  /** The latest time that was seen here; the heartbeat tells the floor. */
  let seen = options.now;

  function begin(now: number): Operation {
    if (now > seen) seen = now;
    return connection.begin(now);
  }
  function change<T>(now: number, work: (operation: Operation) => Promise<T>): Promise<T> {
    return changes.admit(() => work(begin(now)));
  }

  const indices = createIndices(connection, keys, times);
  const sessions = createSessions(connection, keys, times, indices, change);
  const records = createRecords({
    connection,
    maxRecords,
    keysOf: sessions.keysOf,
    factsOf: sessions.factsOf,
    enter: (operation, id) => indices.enter(operation, id, noIdentity, true),
    admit: changes.admit,
    lost: events.recordsLost,
  });
  const readStretch = createStretchReader(connection, keys, times, maxRecords);
  const readPortion = createPortionReader({ connection, keys, fixed, answers, readStretch });
  const adopt = createAdopt({ connection, keys, fixed, answers, indices, times, maxRecords });

  if (options.purpose === "look" && !(await fixed.look(begin(options.now))).hasState) {
    throw new StoreOpenError("missing", missingText(keys.state));
  }
  await fixed.born(begin(options.now));
  if (options.purpose === "move" && (await isServed(() => fixed.served(begin(seen))))) {
    throw new StoreOpenError("in-use", "A server runs on the data in Redis: stop it first.");
  }
  seen = Math.max(seen, await fixed.floor(begin(seen)));
  const heartbeat = await startHeartbeat({
    connection,
    fixed,
    changes,
    seen: () => seen,
    wall,
    changed: () => events.credentialsChanged(),
    noticed: events.noticed,
    suspended: events.suspended,
  });

  /** Returns keys or secrets that were read, unless they were read from another store or from none. */
  async function ofThisStore<T>(read: Promise<T>): Promise<T> {
    const result = await read;
    const lines = await fixed.secretLines(connection.begin(seen));
    if (heartbeat.isKnown(lines)) return result;
    throw notThisStore();
  }

  async function create(
    operation: Operation,
    session: Session,
    once: IdempotentRequest | undefined,
  ): Promise<CreateResult | Replay> {
    if (once === undefined) return createUnlessBlank(operation, session);
    return answers.carryOut<CreateResult>(operation, {
      once,
      id: null,
      created: session.id,
      // Of a session without ids only the stored response is kept (contract.md#rule-8).
      need: hasNoIds(session) ? null : `${session.id}\n${pack(session)}`,
      success: { outcome: "created" },
      perform: (need) => sessions.create(operation, neededSession(need)),
    });
  }

  async function createUnlessBlank(operation: Operation, session: Session): Promise<CreateResult> {
    return hasNoIds(session) ? { outcome: "created" } : sessions.create(operation, session);
  }

  async function isDone(operation: Operation, id: string | null, need: string): Promise<boolean> {
    if (id === null) {
      const name = keys.session(neededSession(need).id);
      return (await connection.command(operation, "exists", name)) === 1;
    }
    return records.isStored(operation, id, Number(need));
  }

  return {
    getCached: () => undefined,
    find: (id) => sessions.find(connection.begin(seen), id),
    create: (session, now, once) => change(now, (operation) => create(operation, session, once)),
    associate: (request) =>
      change(request.now, async (operation) => {
        await records.flush(operation, request.id);
        return sessions.associate(operation, request);
      }),
    renew(session, now) {
      sessions.renew(session, now);
      return renewed(session, now, lifetimes);
    },
    end: (id, now, scope = "everyone") =>
      change(now, (operation) => sessions.end(operation, id, scope)),

    enqueueRecords(id, some, now) {
      if (now > seen) seen = now;
      return records.accept(id, some, now);
    },
    storeRecords: ({ id, records: some, now, idempotent: once }) =>
      change(now, async (operation) => {
        if (once === undefined) {
          await records.store(operation, id, some);
          return { outcome: "recorded" };
        }
        const recorded = { outcome: "recorded" } as const;
        return answers.carryOut<typeof recorded>(operation, {
          once,
          id,
          created: null,
          need: String(batchOf(once.key, now)),
          success: recorded,
          async perform(need) {
            await records.store(operation, id, some, Number(need));
            return recorded;
          },
        });
      }),
    findReplay(once, now) {
      const operation = begin(now);
      return answers.find(operation, once, (id, need) => isDone(operation, id, need));
    },
    async readRecordPage(request) {
      const operation = begin(request.now);
      await records.flush(operation, request.id);
      return readStretch(operation, request);
    },

    async listSessions(request) {
      const operation = begin(request.now);
      await records.flushAll(operation);
      return indices.list(operation, request);
    },
    listStoredResponses: (id, now) => answers.about(begin(now), id),
    async eraseSessions(ids, now) {
      // Whatever waits for them here goes with them.
      for (const id of ids) records.forget(id);
      await Promise.all(
        ids.map((id) =>
          change(now, async (operation) => {
            await answers.erase(operation, id);
            await sessions.erase(operation, id);
          }),
        ),
      );
    },
    eraseCustomerApiKeys: (customerId, now) =>
      change(now, (operation) => fixed.eraseKeys(operation, customerId)),

    appendAuditEntry: (entry) =>
      change(entry.at, (operation) => fixed.appendAudit(operation, entry)),
    async lastAuditEntry() {
      return (await fixed.audit(begin(seen), -1, -1))[0];
    },
    readAuditEntries: (after, limit) => fixed.audit(begin(seen), after, after + limit - 1),

    listApiKeys: () => ofThisStore(fixed.keys(begin(seen))),
    addApiKey: (key) => change(key.createdAt, (operation) => fixed.putKey(operation, key)),
    revokeApiKey: (id, now) => change(now, (operation) => fixed.revokeKey(operation, id)),
    replaceApiKey: (id, successor, expiresAt) =>
      change(successor.createdAt, (operation) =>
        fixed.replaceKey(operation, id, successor, expiresAt),
      ),
    recordApiKeyUse: (uses) => change(seen, (operation) => fixed.useKeys(operation, uses)),
    listSecrets: () => ofThisStore(fixed.secrets(begin(seen))),
    addSecret: ({ bytes, createdAt }) =>
      change(createdAt, (operation) => {
        const base64 = Buffer.from(bytes).toString("base64");
        return fixed.putSecrets(operation, [{ base64, createdAt }], false);
      }),

    clockHighWaterMark: async () => Math.max(seen, await fixed.floor(begin(seen))),
    advanceClock: (now) =>
      change(now, async (operation) => {
        const pulse = await fixed.prove(operation, wall(), heartbeat.known);
        if (!heartbeat.isIntact(pulse)) throw notThisStore();
      }),
    // Redis lets go by itself.
    purgeExpired: async (now) => {
      seen = Math.max(seen, now);
      return { expired: 0, hasMore: false };
    },

    async exportPage(after, now) {
      await records.flushAll(begin(now));
      return readPortion(after, now);
    },
    importItems(adoption) {
      heartbeat.adopting();
      return changes.admit(() => adopt(adoption));
    },
    importCursor: () => fixed.move(begin(seen)),

    status: () => ({
      writable: changes.isWritable && !heartbeat.isSuspended,
      pending: changes.pending,
      bytes: heartbeat.bytes,
    }),

    async close() {
      await records.close();
      await changes.close();
      await heartbeat.close();
      await fixed.prove(connection.begin(seen), wall(), heartbeat.known).catch(() => undefined);
      connection.close();
    },
  };
}

/** How long (ms) a running server may be silent: a few heartbeats. */
const SERVER_SILENCE = 1500;

/** Whether a server runs on the store: `read` returns the time of the last heartbeat. */
async function isServed(read: () => Promise<string | null>): Promise<boolean> {
  const first = await read();
  const end = performance.now() + SERVER_SILENCE;
  if (first === null) return false;
  while (performance.now() < end) {
    if ((await read()) !== first) return true;
    await delay(100);
  }
  return false;
}

function missingText(state: string): string {
  return `There is no data in Redis under the name ${state}: no server has run on it, or its data is gone. Nothing was written. Check the address, the number of the database and redisPrefix.`;
}

function notThisStore(): Refusal {
  const cause = new RedisFault("", "the data in Redis is gone or that of another store");
  return new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
}

/** What `create` noted as needed. */
function neededSession(need: string): Session {
  const end = need.indexOf("\n");
  return unpack(need.slice(0, end), need.slice(end + 1));
}
