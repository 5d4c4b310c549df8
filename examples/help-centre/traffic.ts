import { setTimeout as delay } from "node:timers/promises";
import type { RequestRecord } from "@antechamber/client/protocol";
import { createTransport } from "@antechamber/client/transport";

/*
 * Invented visitors, so that the console has something to show. Everything of theirs is marked: their customer ids begin with
 * "simulated-", and so do the labels of their sessions.
 */

/** A running simulation. */
export interface Traffic {
  /** Ends it. Visits under way stop where they are, and their sessions expire. */
  close(): Promise<void>;
}

/** Duration (ms) of a simulated day, in which the number of visitors rises and falls. */
const DAY = 12 * 60_000;
/** Arrivals a second at night and at noon. */
const NIGHT_RATE = 0.2;
const NOON_RATE = 2;
/** Number of visitors that are there at the start, so that nobody waits for the first ones. */
const FIRST_VISITORS = 30;
/** Maximum number of visitors at a time; more are turned away, so that a slow Antechamber makes no queue. */
const MAX_VISITORS = 150;

const devices = ["Firefox on Windows", "Chrome on Android", "Safari on iOS", "Edge on Windows", "Firefox on Linux"];

/** A page or call of the invented shop. */
interface Step {
  readonly path: string;
  readonly method: "GET" | "POST";
  readonly service: string;
  /** Usual duration (ms). */
  readonly usual: number;
  /** How often it fails, and with which status. */
  readonly fails?: readonly [share: number, status: number];
}

const steps: readonly Step[] = [
  { path: "/", method: "GET", service: "help-centre", usual: 12 },
  { path: "/articles/refund", method: "GET", service: "help-centre", usual: 18 },
  { path: "/articles/delivery", method: "GET", service: "help-centre", usual: 18, fails: [0.02, 404] },
  { path: "/search", method: "GET", service: "search", usual: 90, fails: [0.01, 504] },
  { path: "/products/teapot", method: "GET", service: "shop", usual: 35 },
  { path: "/products/kettle", method: "GET", service: "shop", usual: 35, fails: [0.03, 404] },
  { path: "/cart", method: "POST", service: "shop", usual: 60 },
  { path: "/checkout", method: "POST", service: "checkout", usual: 420, fails: [0.06, 502] },
];

/** Starts the simulation against the Antechamber at `url`. */
export function startTraffic(url: string): Traffic {
  const transport = createTransport({ url, timeout: 5000 });
  const stop = new AbortController();
  const visitors = new Set<Promise<void>>();
  const started = Date.now();

  async function visit(): Promise<void> {
    let isKnown = chance(0.2);
    const label = `simulated: ${pick(devices)}`;
    let { sessionId } = await transport.create(isKnown ? { customerId: customerId() } : undefined, { label });
    for (let count = 2 + Math.floor(Math.random() * 12); count > 0; count--) {
      await transport.record(sessionId, request(pick(steps)));
      await pause(500 + Math.random() ** 3 * 20_000);
      if (!isKnown && chance(0.06)) {
        isKnown = true;
        await transport.record(
          sessionId,
          request({ path: "/sign-in", method: "POST", service: "accounts", usual: 150 }),
        );
        ({ sessionId } = await transport.update(sessionId, { customerId: customerId() }, { rotate: true }));
      }
      if (chance(0.1)) await transport.mergeData(sessionId, { cart: { [pick(["teapot", "kettle", "cup"])]: 1 } });
    }
    if (chance(0.3)) await transport.end(sessionId);
  }

  function arrive(): void {
    if (visitors.size >= MAX_VISITORS) return;
    // A visit that fails is over: Antechamber is away, or an operator has ended the session in the console.
    const visitor = visit().catch(() => undefined);
    visitors.add(visitor);
    void visitor.finally(() => visitors.delete(visitor));
  }

  async function arrivals(): Promise<void> {
    for (let count = 0; count < FIRST_VISITORS; count++) arrive();
    while (!stop.signal.aborted) {
      await pause((-Math.log(1 - Math.random()) * 1000) / rateAt(Date.now() - started));
      arrive();
    }
  }

  async function pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: stop.signal });
  }

  const arriving = arrivals().catch(() => undefined);
  return {
    async close() {
      stop.abort();
      await arriving;
      await Promise.all(visitors);
    },
  };
}

/** Returns the number of arrivals a second, `elapsed` ms after the start. The start is a morning. */
function rateAt(elapsed: number): number {
  return NIGHT_RATE + (NOON_RATE - NIGHT_RATE) * Math.sin((Math.PI * (elapsed + DAY / 4)) / DAY) ** 2;
}

function request({ path, method, service, usual, fails }: Step): RequestRecord {
  const status = fails !== undefined && chance(fails[0]) ? fails[1] : method === "POST" ? 303 : 200;
  // Most durations are near the usual one, and a few are much longer.
  const durationMs = Math.round(usual * Math.exp((Math.random() + Math.random() - 0.8) * 1.2) * 10) / 10;
  return { method, path, service, status, durationMs, startedAt: new Date().toISOString() };
}

function customerId(): string {
  return `simulated-${1000 + Math.floor(Math.random() * 60)}`;
}

function chance(share: number): boolean {
  return Math.random() < share;
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}
