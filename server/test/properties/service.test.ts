// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type AuditTrail, operator } from "../../src/services/audit.ts";
import { CustomerAdmin } from "../../src/services/customers.ts";
import { RequestsInProgress } from "../../src/services/idempotent-requests.ts";
import { type Batch, SessionAdmin } from "../../src/services/session-admin.ts";
import { SessionData } from "../../src/services/session-data.ts";
import { type OpenedSession, SessionService } from "../../src/services/sessions.ts";
import type { DataChange } from "../../src/session/data.ts";
import { Refusal } from "../../src/session/errors.ts";
import { createIdIssuer } from "../../src/session/id.ts";
import type { Lifetimes } from "../../src/session/lifetime.ts";
import type { Session } from "../../src/session/session.ts";
import { noTraits } from "../../src/session/traits.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { DAY, HOUR, MINUTE, START } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { sized } from "../support/tier.ts";
import { type DataRequest, isDataRequest } from "./data.ts";
import type { Model } from "./known.ts";
import { type Exchange, explainAll, type Reply, type Request } from "./model.ts";
import { followEvents } from "./published.ts";
import { requestOf, type Step, sequences } from "./sequences.ts";

const RUNS = sized(100, 200, 50_000);

/** Long enough for a generated sequence to see ended sessions, and short enough for it to purge them. */
const RETENTION = 5 * MINUTE;
/** A grace that some of the generated pauses exceed. */
const ROTATION_GRACE = MINUTE;
const rotation = { rotateOnRecognition: "asked", rotationGrace: ROTATION_GRACE } as const;

interface Setting {
  readonly lifetimes: Lifetimes;
  readonly cacheSessions: number;
}

/** Four sets of lifetimes, with small and large caches. */
const settings: Record<string, Setting> = {
  "the default lifetimes": {
    lifetimes: {
      anonymous: { idle: 30 * MINUTE, total: DAY },
      recognized: { idle: 30 * MINUTE, total: DAY },
    },
    cacheSessions: 10_000,
  },
  "recognized sessions that live longer": {
    lifetimes: {
      anonymous: { idle: 30 * MINUTE, total: 6 * HOUR },
      recognized: { idle: 3 * HOUR, total: 2 * DAY },
    },
    cacheSessions: 1,
  },
  "recognized sessions that idle shorter": {
    lifetimes: {
      anonymous: { idle: HOUR, total: DAY },
      recognized: { idle: 10 * MINUTE, total: DAY },
    },
    cacheSessions: 10_000,
  },
  "a total life as short as the idle time": {
    lifetimes: {
      anonymous: { idle: 30 * MINUTE, total: 30 * MINUTE },
      recognized: { idle: 30 * MINUTE, total: HOUR },
    },
    cacheSessions: 2,
  },
};

test(`the service does what contract.md#rules says: ${4 * RUNS} runs`, async () => {
  // The settings are checked at the same time, because each check mostly waits for its disk.
  const outcomes = await Promise.allSettled(Object.values(settings).map(checkOver));
  const names = Object.keys(settings);
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status === "rejected") throw new Error(`with ${names[i]}`, { cause: outcome.reason });
  }
});

async function checkOver({ lifetimes, cacheSessions }: Setting): Promise<void> {
  await using directory = temporaryDirectory();
  const store = openSqliteStore({
    dataDir: directory.path,
    lifetimes,
    cacheSessions,
    maxPending: 10_000,
    timeout: 30_000,
    maxRecords: 100,
    retention: RETENTION,
    eventRetention: RETENTION,
    events: {
      committed: ignore,
      failed: (error) => assert.fail(String(error)),
      recordsLost: (records) => assert.fail(`${records} records are lost`),
      recordsDropped: () => undefined,
      credentialsChanged: () => undefined,
      noticed: () => undefined,
      suspended: () => undefined,
    },
    now: START,
  });
  try {
    await check(store, lifetimes);
  } finally {
    await store.close();
  }
}

async function check(store: StoreEngine, lifetimes: Lifetimes): Promise<void> {
  // All generated sequences share one store and so one clock, because a store's time must never run backwards.
  let now = START;
  let runs = 0;
  const clock = () => now;
  const ids = createIdIssuer([{ bytes: new Uint8Array(32).fill(9), createdAt: 0 }]);
  const events = {
    created: ignore,
    associated: ignore,
    rotated: ignore,
    ended: ignore,
    keysChanged: async () => undefined,
  };
  const rules = { lifetimes, rotation, inProgress: new RequestsInProgress() };
  const service = new SessionService({ store, ids, clock, ...rules, events });
  const parts = { store, service, ids, trail, logHash: (id: string) => id, clock, events };
  const useCases = {
    service,
    sessionData: new SessionData(parts),
    sessionAdmin: new SessionAdmin(parts),
    customers: new CustomerAdmin(parts),
  };
  const kinds = ["create", "create", "retrieve", "retrieve", "head", "end"] as const;
  const updates = ["update", "update", "update", "update"] as const;
  const data = ["read-data", "read-data", "merge-data", "merge-data", "replace-data", "clear-data"] as const;
  const alone = ["list", "list", "list", "list", "end-many", "end-many", "erase"] as const;
  await fc.assert(
    fc.asyncProperty(sequences([...kinds, ...updates, ...data], alone, 8), async (steps: Step[]) => {
      const suffix = ` of run ${++runs}`;
      let models: readonly Model[] = [new Map()];
      const known: string[] = [];
      const published = await followEvents(store);
      for (const { wait, drafts } of steps) {
        now += wait;
        if (wait > 0) await store.purgeExpired(now);
        const requests = drafts.map((draft) => requestOf(draft, known, suffix));
        const exchanges = await Promise.all(requests.map((request) => ask(useCases, request)));
        const setting = { now, lifetimes, retention: RETENTION, rotationGrace: ROTATION_GRACE };
        models = explainAll(models, exchanges, setting);
        assert.ok(models.length > 0, `against the contract: ${JSON.stringify(exchanges)}`);
        models = await published.explain(models, exchanges, setting);
        assert.ok(models.length > 0, `not as the events say: ${JSON.stringify(exchanges)}`);
        for (const { reply } of exchanges) {
          if (reply.kind === "session" && !known.includes(reply.session.id)) {
            known.push(reply.session.id);
          }
        }
      }
    }),
    { numRuns: RUNS },
  );
}

function ignore(): void {
  // contract.md does not say what the metrics count.
}

/** The use cases that carry out the requests of the model. */
interface UseCases {
  readonly service: SessionService;
  readonly sessionData: SessionData;
  readonly sessionAdmin: SessionAdmin;
  readonly customers: CustomerAdmin;
}

/** An audit trail that stores nothing: these properties are about sessions. */
const trail: Pick<AuditTrail, "append" | "audited" | "appendRefusal"> = {
  append: async () => undefined,
  audited: (_event, run) => run(),
  appendRefusal: ignore,
};
const by = operator(null);

async function ask(useCases: UseCases, request: Request): Promise<Exchange> {
  try {
    return { request, reply: await replyOf(useCases, request) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { request, reply: { kind: "refused", ...error.reason } };
  }
}

async function replyOf(useCases: UseCases, request: Request): Promise<Reply> {
  const { service, sessionAdmin, customers } = useCases;
  if (isDataRequest(request)) return { kind: "data", json: await dataOf(useCases.sessionData, request) };
  switch (request.kind) {
    case "create":
      return shown(await service.create(request.ids));
    case "retrieve":
      return shown(await service.retrieve(request.id, request.ids, request.scope));
    case "head": {
      const found = await service.use(request.id, request.scope);
      if (found === undefined) return { kind: "refused", code: "session-not-found" };
      return { kind: "done", value: true };
    }
    case "update":
      return shown(await service.update(request.id, { ...request, traits: noTraits }, request.scope));
    case "end":
      return { kind: "done", value: await service.end({ text: request.id, findable: "none" }, request.scope) };
    case "list":
      return listed(sessionAdmin, request);
    case "end-many":
      return counted((after) => sessionAdmin.endMany(by, { ...request, after }));
    case "erase":
      return counted(() => customers.erase(by, request.customerId));
  }
}

async function dataOf(sessionData: SessionData, request: DataRequest): Promise<string> {
  const name = { text: request.id, findable: "none" } as const;
  if (request.kind === "read-data") return sessionData.read(name, request.scope);
  return sessionData.change(name, request.scope, changeOf(request), {});
}

function changeOf(request: Exclude<DataRequest, { kind: "read-data" }>): DataChange {
  if (request.kind === "clear-data") return { kind: "replace", json: "{}" };
  const text = JSON.stringify(request.members);
  return { kind: request.kind === "merge-data" ? "merge" : "replace", json: text };
}

function shown({ id, session }: OpenedSession): Reply {
  return { kind: "session", session: { ...session, id } };
}

/** Returns all pages of a list as one reply. */
async function listed(
  sessionAdmin: SessionAdmin,
  { filter, limit }: Extract<Request, { kind: "list" }>,
): Promise<Reply> {
  const sessions: Session[] = [];
  let total: number | null = null;
  for (let after: string | null | undefined; after !== null; ) {
    const page = await sessionAdmin.list({ filter, after: after ?? null, limit });
    if (after === undefined) total = page.total;
    assert.ok(page.sessions.length <= limit);
    sessions.push(...page.sessions.map(({ session }) => session));
    after = page.next;
  }
  return { kind: "list", sessions, total };
}

/** Ends or erases everything, batch by batch, and returns the number of sessions. */
async function counted(batch: (after: string | null) => Promise<Batch>): Promise<Reply> {
  let sessions = 0;
  for (let after: string | null | undefined; after !== null; ) {
    const { sessions: some, next } = await batch(after ?? null);
    sessions += some;
    after = next;
  }
  return { kind: "count", sessions };
}
