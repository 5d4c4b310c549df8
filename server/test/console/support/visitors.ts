import type { RequestRecord } from "@antechamber/client/protocol";
import { createTransport, type Ids, type Transport } from "@antechamber/client/transport";
import type { TestServer } from "../../support/in-process.ts";

/** A session that a test made. */
export interface MadeSession {
  readonly sessionId: string;
  readonly handle: string;
}

interface MakeOptions {
  readonly label?: string;
  readonly records?: readonly RequestRecord[];
  /** API key; none in mode `local`. */
  readonly key?: string;
}

/** Creates a session with ids, and records requests in it. */
export async function makeSession(
  url: string,
  ids: Ids,
  { label, records = [], key }: MakeOptions = {},
): Promise<MadeSession> {
  const transport: Transport = createTransport({ url, key });
  const { sessionId } = await transport.create(ids, { label });
  for (let start = 0; start < records.length; start += 1000) {
    await transport.record(sessionId, records.slice(start, start + 1000), { durable: true });
  }
  return { sessionId, handle: sessionId.slice(0, 24) };
}

const labels = ["Firefox on Windows", "Safari on iPhone", "Chrome on Android", "Edge on Windows", "Firefox on Linux"];

/** Creates sessions of some customers of a shop, as a support agent finds them. */
export async function makeShopVisitors(url: string, count = 24): Promise<readonly MadeSession[]> {
  const names = ["mei.tanaka@shop.example", "customer-4711", "zoë@shop.example", "k-88213", "ana.sousa@shop.example"];
  const made: MadeSession[] = [];
  for (let at = 0; at < count; at++) {
    const customerId = at % 4 === 3 ? null : (names[at % names.length] ?? null);
    const ids = { customerId, visitId: `visit-${9000 + at}`, agentId: at % 7 === 2 ? "agent-ruth" : null };
    const label = labels[at % labels.length] ?? "";
    made.push(await makeSession(url, ids, { label, records: [{ method: "GET", path: "/articles" }] }));
  }
  const transport = createTransport({ url });
  for (const { sessionId } of made.slice(2, 6)) await transport.end(sessionId);
  return made;
}

const MINUTE = 60_000;
const SERVICES = ["help-centre", "search", "orders", "browser"] as const;

/** Returns records of a visit that began at `start` (Unix ms): bursts of requests with pauses, and a few failures. */
function visitRecords(start: number, count: number): readonly RequestRecord[] {
  const paths = ["/", "/articles/returns", "/search", "/api/orders/88213", "/assets/page.css", "/basket", "/checkout"];
  let at = start;
  return Array.from({ length: count }, (_, index) => {
    at += index % 9 === 8 ? 40_000 : index % 31 === 30 ? 9 * MINUTE : 120 + ((index * 37) % 400);
    const status = index % 23 === 17 ? 500 : index % 13 === 11 ? 404 : index % 7 === 5 ? 303 : 200;
    return {
      method: index % 8 === 6 ? "POST" : "GET",
      path: paths[index % paths.length] ?? "/",
      status,
      startedAt: at,
      durationMs: status === 500 ? 1800 + index : 4 + ((index * 53) % 380),
      service: SERVICES[index % SERVICES.length] ?? "browser",
      attributes: { traceId: index.toString(16).padStart(32, "a"), page: "returns" },
    };
  });
}

/** Creates an anonymous session with records, which then signs in and continues. */
export async function makeVisit(url: string, customerId: string, count = 60): Promise<MadeSession> {
  const start = Date.now() - 25 * MINUTE;
  const records = visitRecords(start, count);
  const before = Math.floor(count / 3);
  const made = await makeSession(url, {}, { label: "Firefox on Windows", records: records.slice(0, before) });
  const transport = createTransport({ url });
  await transport.update(made.sessionId, { customerId, visitId: `visit of ${customerId}` });
  for (let from = before; from < count; from += 1000) {
    await transport.record(made.sessionId, records.slice(from, from + 1000), { durable: true });
  }
  return made;
}

/**
 * Creates a visit of 25 minutes as `makeVisit` does, while the time of the server passes. The browser needs the time of the
 * server afterwards.
 */
export async function makeStory(
  server: TestServer,
  customerId: string,
  label = "Firefox on Windows",
): Promise<MadeSession> {
  const transport = createTransport({ url: server.url });
  const { sessionId } = await transport.create({}, { label });
  const start = server.now();
  const records = visitRecords(start + 20, 60);
  const recordUntil = async (from: number, to: number) => {
    const part = records.slice(from, to);
    const last = part.at(-1);
    server.pass(Math.max(0, Number(last?.startedAt ?? 0) + 400 - server.now()));
    await transport.record(sessionId, part, { durable: true });
  };
  await recordUntil(0, 21);
  const ids = { customerId, visitId: "visit-9120", globalVisitId: "gv-31" };
  await transport.update(sessionId, ids, { rotate: false });
  await recordUntil(21, 60);
  server.pass(95_000);
  return { sessionId, handle: sessionId.slice(0, 24) };
}
