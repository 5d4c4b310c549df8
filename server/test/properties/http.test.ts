// runs: once

import assert from "node:assert/strict";
import type { EndReceipt, ErasureReceipt, Problem, SessionInfo, SessionList } from "@antechamber/client/protocol";
import * as fc from "fast-check";
import type { Lifetimes } from "../../src/session/lifetime.ts";
import type { Identity } from "../../src/session/session.ts";
import { type Api, createApi } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { DAY, MINUTE, SECOND } from "../support/sessions.ts";
import { sized } from "../support/tier.ts";
import { isDataRequest } from "./data.ts";
import type { Model } from "./known.ts";
import { type Exchange, explainAll, type Reply, type Request } from "./model.ts";
import { requestOf, type Step, sequences } from "./sequences.ts";

const RUNS = sized(30, 60, 4000);
const lifetimes: Lifetimes = {
  anonymous: { idle: 30 * MINUTE, total: DAY },
  recognized: { idle: 30 * MINUTE, total: 2 * DAY },
};

/** Requests of one session's clients. */
const single = ["create", "retrieve", "head", "update", "update", "end"] as const;
const data = ["read-data", "merge-data", "replace-data", "clear-data"] as const;
const merges = ["merge-data", "merge-data", "merge-data"] as const;

const properties = {
  "over HTTP too the service does what contract.md#rules says": sequences(
    [...single, ...data],
    ["list", "list", "end-many", "erase"],
    6,
  ),
  // Simultaneous changes of the same data, which the sequences above seldom have.
  "session data are what contract.md#data says, whatever happens to them at the same time": sequences(
    ["retrieve", "update", "update", "end", ...data, ...data, ...merges, ...merges],
    ["head"],
    8,
  ),
};

onEachEngine(({ name: engine, test, empty }) => {
  for (const [name, steps] of Object.entries(properties)) {
    test(`${name}: ${RUNS} runs`, async () => {
      const options = { frozen: true, config: { lifetimes, accessLog: "off", ...(await empty()) } } as const;
      await using first = await serve(options);
      // Several processes may share a store in Redis.
      await using second = engine === "Redis" ? await serve(options) : undefined;
      first.pass((second ?? first).now() - first.now());
      const service = serviceOf(second === undefined ? [first] : [first, second]);
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(steps, (drawn) => check(service, drawn, ` of run ${++runs}`)),
        { numRuns: RUNS },
      );
    });
  }
});

/** The processes of a service. Their clocks show the same time. */
interface Service {
  readonly apis: readonly [Api, ...Api[]];
  now(): number;
  /** Makes a change, which is stored only after all renewals so far, and then advances the time. */
  pass(wait: number): Promise<void>;
}

function serviceOf(servers: readonly TestServer[]): Service {
  const apis = servers.map(({ url }) => createApi(url)) as [Api, ...Api[]];
  return {
    apis,
    now: () => (servers[0] as TestServer).now(),
    async pass(wait) {
      const json = { globalVisitId: "a change that waits for those before it" };
      await Promise.all(apis.map((api) => api.create({ json })));
      for (const server of servers) server.pass(wait);
    },
  };
}

async function check({ apis, now, pass }: Service, steps: readonly Step[], suffix: string): Promise<void> {
  let models: readonly Model[] = [new Map()];
  const known: string[] = [];
  for (const { wait, drafts } of steps) {
    if (wait > 0) await pass(wait);
    const requests = drafts.map((draft) => withCallersScope(requestOf(draft, known, suffix)));
    const exchanges = await Promise.all(requests.map((request, i) => ask(apis[i % apis.length] ?? apis[0], request)));
    models = explainAll(models, exchanges, {
      now: now(),
      lifetimes,
      retention: 14 * DAY,
      rotationGrace: 10 * SECOND,
    });
    assert.ok(models.length > 0, `against the contract: ${JSON.stringify(exchanges)}`);
    for (const { reply } of exchanges) {
      if (reply.kind === "session" && !known.includes(reply.session.id)) {
        known.push(reply.session.id);
      }
    }
  }
}

/** In mode `local`, a retrieval with a customer reaches only that customer's sessions. Other requests reach all. */
function withCallersScope(request: Request): Request {
  if (!("scope" in request)) return request;
  if (request.kind !== "retrieve" || request.ids.customerId === null) {
    return { ...request, scope: "everyone" };
  }
  return { ...request, scope: { customerId: request.ids.customerId } };
}

async function ask(api: Api, request: Request): Promise<Exchange> {
  return { request, reply: await replyOf(api, request) };
}

async function replyOf(api: Api, request: Request): Promise<Reply> {
  if (request.kind === "list") return listed(api, request);
  if (request.kind === "end-many" || request.kind === "erase") return counted(api, request);
  const answer = await send(api, request);
  if (request.kind === "end") {
    assert.ok([204, 404].includes(answer.status), answer.text);
    return { kind: "done", value: answer.status === 204 };
  }
  if (request.kind === "head") {
    assert.equal(answer.text, "");
    if (answer.status === 200) return { kind: "done", value: true };
    return { kind: "refused", code: answer.status === 404 ? "session-not-found" : "" };
  }
  if (request.kind === "clear-data" && answer.status === 204) return { kind: "data", json: "{}" };
  if (answer.status !== 200) {
    const { code, field } = JSON.parse(answer.text) as Problem;
    return { kind: "refused", code, ...(field === undefined ? {} : { field }) };
  }
  if (isDataRequest(request)) return { kind: "data", json: answer.text };
  const info = JSON.parse(answer.text) as SessionInfo;
  return { kind: "session", session: { ...seen(info), id: info.sessionId } };
}

/** Returns all pages of a list as one reply. */
async function listed(api: Api, { filter, limit }: Extract<Request, { kind: "list" }>): Promise<Reply> {
  const given = Object.entries(filter).filter(([, value]) => value !== null);
  const query = new URLSearchParams();
  for (const [name, value] of given) query.set(name, String(value));
  query.set("limit", String(limit));
  const pages: SessionList[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    query.set("cursor", cursor ?? "");
    const answer = await api.call("GET", `/sessions?${query.toString()}`);
    assert.equal(answer.status, 200, answer.text);
    const page = JSON.parse(answer.text) as SessionList;
    pages.push(page);
    cursor = page.next;
  }
  const sessions = pages.flatMap((page) => page.sessions.map(seen));
  return { kind: "list", sessions, total: pages[0]?.total ?? null };
}

/** Ends or erases sessions, and returns their number. */
async function counted(api: Api, request: Extract<Request, { kind: "end-many" | "erase" }>): Promise<Reply> {
  if (request.kind === "erase") {
    const answer = await api.call("DELETE", `/customers/${encodeURIComponent(request.customerId)}`);
    assert.equal(answer.status, 200, answer.text);
    const { sessions, isComplete } = JSON.parse(answer.text) as ErasureReceipt;
    assert.ok(isComplete);
    return { kind: "count", sessions };
  }
  const { live, ...filter } = request.filter;
  assert.equal(live, null);
  const given = Object.entries(filter).filter(([, value]) => value !== null);
  const json = { ...Object.fromEntries(given), dryRun: request.isDry };
  const answer = await api.call("POST", "/sessions/end", { json });
  assert.equal(answer.status, 200, answer.text);
  const { sessions, next } = JSON.parse(answer.text) as EndReceipt;
  assert.equal(next, null);
  return { kind: "count", sessions };
}

function send(api: Api, request: Exclude<Request, { kind: "list" | "end-many" | "erase" }>) {
  switch (request.kind) {
    case "create":
      return api.create({ headers: headersOf(request.ids), json: bodyOf(request.ids) });
    case "retrieve":
      return api.retrieve(request.id, { headers: headersOf(request.ids) });
    case "head":
      return api.call("HEAD", `/sessions/${request.id}`);
    case "update":
      return api.update(request.id, {
        headers: headersOf(request.ids),
        json: { ...bodyOf(request.ids), rotate: request.rotate },
      });
    case "end":
      return api.call("DELETE", `/sessions/${request.id}`);
    case "read-data":
      return api.call("GET", `/sessions/${request.id}/data`);
    case "clear-data":
      return api.call("DELETE", `/sessions/${request.id}/data`);
    case "replace-data":
      return api.call("PUT", `/sessions/${request.id}/data`, { json: request.members });
    case "merge-data": {
      const headers = { "content-type": "application/merge-patch+json" };
      return api.call("PATCH", `/sessions/${request.id}/data`, { headers, json: request.members });
    }
  }
}

/** Spells one header with an underscore and the other with a hyphen. A missing id is sent as an empty value. */
function headersOf(ids: Identity): Record<string, string> {
  return { gkc_agentId: ids.agentId ?? "", "gkc-customerId": ids.customerId ?? "" };
}

function bodyOf({ visitId, globalVisitId }: Identity) {
  return { visitId, globalVisitId };
}

function seen<Shown extends Pick<SessionInfo, "createdAt" | "lastActiveAt" | "expiresAt">>({
  createdAt,
  lastActiveAt,
  expiresAt,
  ...rest
}: Shown) {
  const times = [createdAt, lastActiveAt, expiresAt].map((time) => Date.parse(time));
  const [created = 0, lastActive = 0, expires = 0] = times;
  return {
    ...rest,
    createdAt: created,
    lastActiveAt: lastActive,
    expiresAt: expires,
  };
}
