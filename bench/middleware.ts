import assert from "node:assert/strict";
import { join } from "node:path";
import { allAnswered, calmest, type Measurement, measure, round as rounded } from "./measure.ts";
import type { Options } from "./options.ts";
import { LOAD_CORE, SERVER_CORE, start, temporaryFolder } from "./processes.ts";
import { article } from "./record-requests.ts";
import { byPath } from "./requests.ts";
import type { MiddlewareResult } from "./results.ts";
import { send } from "./send.ts";
import type { Running } from "./subject.ts";
import { antechamber, startAntechamber } from "./subjects/antechamber.ts";
import { runtime } from "./subjects/node-peers.ts";
import { collectTickets, inventTickets, SESSIONS } from "./tickets.ts";
import { countRecords } from "./timelines.ts";
import { cpuSeconds, tree } from "./usage.ts";
import { CONNECTIONS, type Load, load, type Tickets } from "./wrk.ts";

const APPLICATION = join(import.meta.dirname, "peers", "express-application.ts");

/** Requests per second of the paced load. It is so low that no request waits for another one. */
const PACE = 200;

type Counts = Pick<MiddlewareResult, "withoutSession" | "dropped">;
type Bench = {
  running: Running;
  service?: Running;
  tickets: Tickets;
  folder: string;
  options: Options;
};

/** Measures the application without and with the middleware, each in fresh processes. The order changes every round. */
export async function measureMiddleware(
  round: number,
  options: Options,
  report: (result: MiddlewareResult) => void,
): Promise<void> {
  const variants = [withoutMiddleware, withMiddleware];
  for (const variant of round % 2 === 1 ? variants : variants.toReversed()) {
    const folder = temporaryFolder();
    try {
      report({ round, ...(await variant(folder.path, options)) });
    } finally {
      folder.remove();
    }
  }
}

type Found = Omit<MiddlewareResult, "round">;

async function withoutMiddleware(folder: string, options: Options): Promise<Found> {
  const running = await startApplication({});
  try {
    const tickets = inventTickets(folder, SESSIONS);
    const { found } = await measureBoth({ running, tickets, folder, options });
    return { middleware: false, ...found, withoutSession: 0, dropped: 0 };
  } finally {
    await running.close();
  }
}

async function withMiddleware(folder: string, options: Options): Promise<Found> {
  const service = await startAntechamber("bun", { core: LOAD_CORE });
  try {
    const application = await startApplication({ SESSIONS_URL: service.url });
    try {
      const create = byPath.createWithIds;
      const subject = antechamber("bun");
      const tickets = await collectTickets(subject, service.url, create, folder, SESSIONS);
      await verifyMiddleware(service.url, application.url);
      const bench = { running: application, service, tickets, folder, options };
      const { found, sent } = await measureBoth(bench);
      const counts = await countsOf(application.url);
      assertRecorded(await countRecords(service.url, tickets), sent, counts);
      return { middleware: true, ...found, ...counts };
    } finally {
      await application.close();
    }
  } finally {
    await service.close();
  }
}

async function startApplication(env: Record<string, string>): Promise<Running> {
  const app = await start(runtime("node"), [APPLICATION], {
    cores: [SERVER_CORE],
    env: { NODE_ENV: "production", ...env },
    ready: /listening on (http:\S+)/,
  });
  return { url: app.ready, pids: [app.pid], close: app.close };
}

/** Checks that the application gets the customer of a request's session. */
async function verifyMiddleware(service: string, application: string): Promise<void> {
  const created = (await (await send(service, byPath.createWithIds)).json()) as {
    sessionId: string;
    customerId: string;
  };
  const answer = await (await send(application, article, created.sessionId)).json();
  assert.equal((answer as { customerId: string }).customerId, created.customerId);
}

/** Measures the paced and the full load. `sent` counts all requests that got a response, including the warm-up. */
async function measureBoth({ running, service, tickets, folder, options }: Bench) {
  const { seconds, warmUp, quick } = options;
  const prepared = { url: running.url, folder, request: article, tickets };
  let sent = (await load({ ...prepared, seconds: warmUp })).requests;
  // Waits until the queued records are delivered, so that their delivery is not measured.
  await countsOf(running.url);
  const once = async (own: Partial<Load>): Promise<Measurement> => {
    const measurement = await measure(running, { ...prepared, seconds, ...own });
    allAnswered("the Express application", measurement);
    sent += measurement.requests;
    return measurement;
  };
  const slowly = { pauseMs: (1000 * CONNECTIONS) / PACE, scattered: true, seconds: 2 * seconds };
  const paced = await calmest(() => once(slowly), quick);
  const serviceCpu = () => cpuSeconds(tree(service?.pids ?? []));
  const before = { cpu: serviceCpu(), sent };
  const full = await calmest(() => once({}), quick);
  const serviceCpuPer100k = (1e5 * (serviceCpu() - before.cpu)) / (sent - before.sent);
  return { found: { paced, full, serviceCpuPer100k: rounded(serviceCpuPer100k, 2) }, sent };
}

async function countsOf(application: string): Promise<Counts> {
  const response = await fetch(`${application}/counts`);
  return (await response.json()) as Counts;
}

/**
 * Throws if the timelines lack requests other than those that the middleware reports as dropped or without a session.
 */
function assertRecorded(recorded: number, sent: number, { withoutSession, dropped }: Counts): void {
  if (recorded + withoutSession + dropped >= sent) return;
  throw new Error(`of ${sent} requests the timelines count ${recorded}, ${dropped} were dropped`);
}
