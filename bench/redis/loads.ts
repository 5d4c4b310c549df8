import { median, round } from "../measure.ts";
import type { RequestTemplate } from "../requests.ts";
import { collectTickets, SESSIONS } from "../tickets.ts";
import { CONNECTIONS, Exhausted, type Load, type LoadResult, load, type Tickets } from "../wrk.ts";
import type { RedisSubject, Servers } from "./subjects.ts";

/** The measured operations. Retrieving an anonymous session is left out, because no such session is stored. */
export const OPERATIONS = ["retrieve", "create-anonymous", "create-with-ids", "associate", "record"] as const;
export type RedisOperation = (typeof OPERATIONS)[number];

/** A record like those that services make of their requests. */
export const record: RequestTemplate = {
  method: "POST",
  path: "/sessions/{ticket}/requests",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    method: "GET",
    path: "/help/articles/10000/reset-a-password",
    status: 200,
    durationMs: 12.5,
    service: "help.example.org",
  }),
};

/** A subject under load. `folder` is for files of the load. */
export type Target = { subject: RedisSubject; servers: Servers; folder: string };

/**
 * Runs the load of one operation for `seconds` seconds, by calling `use` with the function that sends it. Everything that
 * the load needs exists before the call. Calls `use` again if that was too little. Returns the result of `use`.
 */
export type RunLoad = <T>(seconds: number, use: (send: () => Promise<LoadResult>) => Promise<T>) => Promise<T>;

/** Prepares the load of an operation. Each session is associated once; `rate` is the expected rate of that, a second. */
export async function createLoad(target: Target, operation: RedisOperation, rate: number): Promise<RunLoad> {
  const { createAnonymous, createWithIds, retrieve, associate } = target.subject.requests;
  switch (operation) {
    case "create-anonymous":
      return repeatedly(target, { request: createAnonymous });
    case "create-with-ids":
      return repeatedly(target, { request: createWithIds });
    case "retrieve":
      return repeatedly(target, { request: retrieve, tickets: await collect(target, createWithIds, SESSIONS) });
    case "record":
      return repeatedly(target, { request: record, tickets: await collect(target, createWithIds, SESSIONS) });
    case "associate":
      return once(target, associate, rate);
  }
}

/** Creates sessions that all servers know, and returns their tickets. */
function collect({ subject, servers, folder }: Target, request: RequestTemplate, count: number): Promise<Tickets> {
  return collectTickets(subject, servers.urls[0] ?? "", request, folder, count);
}

/** Returns the load of a request that can be repeated with the same sessions, or that needs no session. */
function repeatedly(target: Target, what: Pick<Load, "request" | "tickets">): RunLoad {
  return (seconds, use) => use(async () => total(await sendToAll(target, seconds, () => what)));
}

/** Least number of seconds for which new sessions are made at a time, so that windows rarely wait for them. */
const LOT_SECONDS = 6;

/** Returns the load of a request that uses each session once. */
function once(target: Target, request: RequestTemplate, expectedRate: number): RunLoad {
  const servers = target.servers.urls.length;
  let rate = expectedRate;
  let lot: Tickets | undefined;
  /** The part of the lot that each server has not used yet: from the first to before the second. */
  let parts: [from: number, to: number][] = [];

  async function provide(perServer: number, lotSize: number): Promise<Tickets> {
    if (lot && parts.every(([from, to]) => to - from >= perServer)) return lot;
    lot = await collect(target, createAnonymous, servers * Math.max(perServer, lotSize));
    const part = Math.floor(lot.count / servers);
    parts = target.servers.urls.map((_, index) => [index * part, (index + 1) * part]);
    return lot;
  }

  async function send(seconds: number, tickets: Tickets): Promise<LoadResult> {
    const current = parts;
    parts = [];
    const each = await sendToAll(target, seconds, (index) => {
      const [first, count] = current[index] ?? [0, 0];
      return { request, order: "once", first, tickets: { ...tickets, count } };
    });
    // Also skips the tickets of requests that were still in progress, and so not counted, at the end of the load.
    parts = current.map(([from, to], index) => [from + (each[index]?.requests ?? 0) + 2 * CONNECTIONS, to]);
    const result = total(each);
    rate = result.perSecond;
    return result;
  }

  const { createAnonymous } = target.subject.requests;
  return async (seconds, use) => {
    for (let reserve = 2; ; reserve *= 2) {
      const perServer = (span: number) => Math.ceil((reserve * rate * span) / servers) + 4 * CONNECTIONS;
      const tickets = await provide(perServer(seconds), perServer(LOT_SECONDS));
      try {
        return await use(() => send(seconds, tickets));
      } catch (error) {
        if (!(error instanceof Exhausted)) throw error;
        lot = undefined;
      }
    }
  };
}

/** Sends a load to each server at the same time. Together they have as many connections as the one load of others. */
function sendToAll(
  { servers, folder }: Target,
  seconds: number,
  what: (index: number) => Pick<Load, "request" | "tickets" | "order" | "first">,
): Promise<LoadResult[]> {
  const connections = Math.floor(CONNECTIONS / servers.urls.length);
  return Promise.all(servers.urls.map((url, index) => load({ url, folder, seconds, connections, ...what(index) })));
}

function total(each: LoadResult[]): LoadResult {
  const sum = (figure: keyof LoadResult) => each.reduce((all, one) => all + one[figure], 0);
  return {
    requests: sum("requests"),
    perSecond: sum("perSecond"),
    p50: round(median(each.map(({ p50 }) => p50)), 3),
    p99: Math.max(...each.map(({ p99 }) => p99)),
    max: Math.max(...each.map(({ max }) => max)),
    refused: sum("refused"),
    broken: sum("broken"),
  };
}
