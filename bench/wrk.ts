import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./processes.ts";
import { type RequestTemplate, wire } from "./requests.ts";
import type { TicketSource } from "./subject.ts";

const SCRIPT = join(import.meta.dirname, "wrk", "requests.lua");

/** Number of open connections. Each has one request in progress at a time. */
export const CONNECTIONS = 64;

/** A file with one ticket (a session id or cookie) per line. */
export type Tickets = {
  file: string;
  count: number;
  /** Length of every line; 0 if the lines have different lengths. */
  width: number;
};

export type Load = {
  url: string;
  request: RequestTemplate;
  seconds: number;
  /** Folder in which the template of the request is written. */
  folder: string;
  connections?: number;
  tickets?: Tickets;
  /**
   * With `random`, tickets are chosen at random, repeatedly. With `once`, each is used once, from number `first` on.
   */
  order?: "random" | "once";
  first?: number;
  /** How long (ms) each connection waits before a request. */
  pauseMs?: number;
  /** True for random waits with the mean `pauseMs`. Equal waits make all connections send at the same time. */
  scattered?: boolean;
  /** Total number of requests. After that nothing is sent. */
  limit?: number;
  collect?: { into: string; source: TicketSource };
};

export type LoadResult = {
  requests: number;
  perSecond: number;
  /** Latency in milliseconds, which wrk corrects for coordinated omission. */
  p50: number;
  p99: number;
  max: number;
  /** Number of responses with a status of 400 or above. */
  refused: number;
  /** Number of connections that were refused or broke, and of requests without a response within 10 s. */
  broken: number;
};

type Printed = Record<"requests" | "microseconds" | "refused" | "broken", number> &
  Record<"p50" | "p99" | "max", number> & { exhausted: boolean };

let loads = 0;

/** Runs wrk with one thread on the core for the load. Throws `Exhausted` if there are too few tickets for `once`. */
export async function load(options: Load): Promise<LoadResult> {
  const template = join(options.folder, `request-${loads++}.http`);
  writeFileSync(template, wire(options.request, new URL(options.url).host));
  const connections = String(options.connections ?? CONNECTIONS);
  const output = await run("wrk", [
    ...["--threads", "1", "--connections", connections, "--timeout", "10s"],
    ...["--duration", `${options.seconds}s`, "--script", SCRIPT, options.url, "--"],
    ...scriptArguments(template, options),
  ]);
  const line = output.split("\n").find((text) => text.startsWith("{"));
  if (!line) throw new Error(`wrk printed no result:\n${output}`);
  const printed = JSON.parse(line) as Printed;
  if (printed.exhausted) throw new Exhausted(options.tickets?.count ?? 0);
  return {
    requests: printed.requests,
    perSecond: Math.round(printed.requests / (printed.microseconds / 1e6)),
    p50: printed.p50 / 1000,
    p99: printed.p99 / 1000,
    max: printed.max / 1000,
    refused: printed.refused,
    broken: printed.broken,
  };
}

/** The error for a load that needed more tickets than the file contains. */
export class Exhausted extends Error {
  constructor(count: number) {
    super(`${count} tickets were not enough`);
  }
}

function scriptArguments(template: string, options: Load): string[] {
  const { tickets, collect } = options;
  const pairs: Record<string, string | number | undefined> = {
    template,
    seed: randomInt(2 ** 31),
    pause: options.pauseMs,
    scatter: options.scattered ? "yes" : undefined,
    limit: options.limit,
    tickets: tickets?.file,
    count: tickets?.count,
    width: tickets?.width,
    order: options.order ?? "random",
    first: options.first ?? 0,
    collect: collect?.into,
    from: collect?.source.from,
    pattern: collect?.source.pattern,
  };
  return Object.entries(pairs).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
}
