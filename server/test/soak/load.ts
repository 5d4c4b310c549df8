import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { SessionInfo } from "@antechamber/client/protocol";
import type { Random } from "../support/random.ts";
import type { SoakClient, SoakResponse } from "./client.ts";

/** A text in everything that the load sends, so that leftovers can be found. */
export const MARK = "soak-mark";
/** The number of customers; each has many sessions. */
const CUSTOMERS = 500;
const customerId = (number: number) => `${MARK}-customer-${number}`;

/** The requests of a load so far, and their results. */
export interface SoakTally {
  /** Responses by operation and status, such as `create 200`. */
  readonly responses: ReadonlyMap<string, number>;
  /** Requests that were due but not sent, because too many were waiting for their responses. */
  readonly notSent: number;
  /** The first unexpected responses. */
  readonly unexpected: readonly string[];
}

export interface SoakLoad {
  readonly tally: SoakTally;
  /** Stops sending, and resolves when all responses have arrived. */
  stop(): Promise<SoakTally>;
}

/** The maximum number of requests that wait for their responses. */
const MAX_WAITING = 200;
const TICK_MS = 20;
/** How many of the latest sessions are used for requests. */
const REMEMBERED = 2_000;

type Step = (client: SoakClient) => Promise<SoakResponse>;

/** Sends a mix of all operations to servers of one store, `rate` requests per second in all. */
export function startSoakLoad(clients: readonly SoakClient[], rate: number, random: Random): SoakLoad {
  const sessions: string[] = [];
  const keys: { key: string; ids: Record<string, string> }[] = [];
  const responses = new Map<string, number>();
  const unexpected: string[] = [];
  const tally = { responses, notSent: 0, unexpected };
  const waiting = new Set<Promise<void>>();
  const stop = new AbortController();

  function remember(response: SoakResponse): SoakResponse {
    if (response.status === 200) {
      sessions.push((JSON.parse(response.text) as SessionInfo).sessionId);
      if (sessions.length > REMEMBERED) sessions.shift();
    }
    return response;
  }
  const anyCustomer = () => customerId(random.between(0, CUSTOMERS - 1));
  const session = () => (sessions.length === 0 ? "unknown" : random.pick(sessions));
  const record = () => ({
    method: "GET",
    path: `/${MARK}/page-${random.between(1, 50)}?q=cut`,
    status: 200,
    durationMs: random.between(1, 900),
    service: "shop",
    attributes: { note: `${MARK} note` },
  });
  const create = async (client: SoakClient, headers: Record<string, string>, visitId: string) =>
    remember(await client.send("PUT", "/sessions/new", { headers, json: { visitId } }));

  const steps: readonly [weight: number, operation: string, step: Step][] = [
    [15, "create", (to) => create(to, { gkc_customerId: anyCustomer() }, `${MARK}-${randomUUID()}`)],
    [15, "create-anonymous", async (to) => remember(await to.send("PUT", "/sessions/new"))],
    [26, "retrieve", (to) => to.send("GET", `/sessions/${session()}`)],
    [4, "retrieve-junk", (to) => to.send("GET", `/sessions/${randomUUID()}`)],
    [1, "head", (to) => to.send("HEAD", `/sessions/${session()}`)],
    [
      10,
      "associate",
      (to) =>
        to.send("POST", `/sessions/${session()}`, {
          headers: { gkc_agentId: `${MARK}-agent-${random.between(1, 20)}` },
        }),
    ],
    [8, "record", (to) => to.send("POST", `/sessions/${session()}/requests`, { json: record() })],
    [
      2,
      "record-many",
      (to) =>
        to.send("POST", `/sessions/${session()}/requests`, {
          json: Array.from({ length: 20 }, record),
        }),
    ],
    [
      7,
      "forward-auth",
      (to) =>
        to.send("GET", "/forward-auth", {
          headers: { "gkc-sessionId": session(), "x-forwarded-uri": `/${MARK}/forwarded` },
        }),
    ],
    [3, "timeline", (to) => to.send("GET", `/sessions/${session()}/requests?limit=50`)],
    [2, "list", (to) => to.send("GET", `/sessions?customerId=${anyCustomer()}&limit=20`)],
    [3, "end", (to) => to.send("DELETE", `/sessions/${session()}`)],
    [0.1, "end-many", (to) => to.send("POST", "/sessions/end", { json: { customerId: anyCustomer() } })],
    [
      3,
      "create-keyed",
      (to) => {
        const isNew = keys.length === 0 || random.next() < 0.75;
        const one = isNew ? { key: randomUUID(), ids: { gkc_customerId: anyCustomer() } } : random.pick(keys);
        if (isNew) keys.push(one);
        if (keys.length > 100) keys.shift();
        return to.send("PUT", "/sessions/new", {
          headers: { ...one.ids, "idempotency-key": one.key },
        });
      },
    ],
    [
      1,
      "record-keyed",
      (to) =>
        to.send("POST", `/sessions/${session()}/requests`, {
          headers: { "idempotency-key": randomUUID() },
          json: record(),
        }),
    ],
    [0.1, "erase", (to) => to.send("DELETE", `/customers/${anyCustomer()}`)],
    [0.05, "export", (to) => to.send("GET", `/customers/${anyCustomer()}/export`)],
  ];
  const total = steps.reduce((sum, [weight]) => sum + weight, 0);

  function choose(): readonly [string, Step] {
    let left = random.next() * total;
    for (const [weight, operation, step] of steps) {
      left -= weight;
      if (left < 0) return [operation, step];
    }
    return ["retrieve", (to) => to.send("GET", `/sessions/${session()}`)];
  }

  async function perform(): Promise<void> {
    const [operation, step] = choose();
    let outcome: string;
    try {
      const { status, text } = await step(random.pick(clients));
      outcome = String(status);
      if (!isExpected(operation, status)) note(`${operation}: ${status} ${text.slice(0, 300)}`);
    } catch (error) {
      outcome = "no response";
      note(`${operation}: ${String(error)}`);
    }
    const name = `${operation} ${outcome}`;
    responses.set(name, (responses.get(name) ?? 0) + 1);
  }

  function note(problem: string): void {
    if (unexpected.length < 20) unexpected.push(problem);
  }

  async function run(): Promise<void> {
    const start = performance.now();
    let due = 0;
    while (!stop.signal.aborted) {
      const now = Math.floor(((performance.now() - start) / 1000) * rate);
      for (; due < now; due++) {
        if (waiting.size >= MAX_WAITING) {
          tally.notSent++;
          continue;
        }
        const one = perform().finally(() => void waiting.delete(one));
        waiting.add(one);
      }
      await delay(TICK_MS);
    }
  }

  const running = run();
  return {
    tally,
    async stop() {
      stop.abort();
      await running;
      await Promise.all(waiting);
      return tally;
    },
  };
}

/** Returns whether the status is acceptable: the session may have ended, or another one may have its ids or visit. */
function isExpected(operation: string, status: number): boolean {
  if (status === 200 || status === 202 || status === 204) return true;
  if (["associate", "head", "record", "record-many", "record-keyed", "timeline", "end"].includes(operation)) {
    return status === 404 || (operation === "associate" && status === 400);
  }
  // The first request with this idempotency key may still be in progress.
  return operation === "create-keyed" && status === 409;
}
