import { allAnswered, calmest, type Measurement, measure } from "./measure.ts";
import type { Options } from "./options.ts";
import { temporaryFolder } from "./processes.ts";
import { byFetch, type RequestTemplate, rotating } from "./requests.ts";
import type { OperationResult } from "./results.ts";
import type { Operation, Running, Subject } from "./subject.ts";
import { collectTickets, inventTickets, SESSIONS } from "./tickets.ts";
import { verify } from "./verify.ts";
import { CONNECTIONS, Exhausted, type Load, load } from "./wrk.ts";

/**
 * Factor for the number of tickets: a quarter more than associating would use if it were as fast as creating sessions.
 */
const RESERVE = 1.25;

type Single = "associate" | "associate-rotate";
type Repeatable = Exclude<Operation, Single>;
type Bench = { subject: Subject; running: Running; options: Options; folder: string };

/** Starts a subject, measures each of its operations, and stops the subject. */
export async function measureOperations(
  subject: Subject,
  round: number,
  options: Options,
  report: (result: OperationResult) => void,
): Promise<void> {
  const folder = temporaryFolder();
  const running = await subject.start();
  try {
    await verify(subject, running);
    const bench = { subject, running, options, folder: folder.path };
    let createsPerSecond = 0;
    for (const operation of subject.operations) {
      const measurement = await calmest(() => measureOnce(bench, operation, createsPerSecond), options.quick);
      if (operation === "create-with-ids") createsPerSecond = measurement.perSecond;
      report({ round, subject: subject.name, operation, measurement });
    }
  } finally {
    await running.close();
    folder.remove();
  }
}

async function measureOnce(bench: Bench, operation: Operation, rate: number): Promise<Measurement> {
  const measurement =
    operation === "associate" || operation === "associate-rotate"
      ? await measureAssociate(bench, operation, rate * RESERVE)
      : await measureRepeatable(bench, operation);
  allAnswered(`${bench.subject.name}, ${operation}`, measurement);
  return measurement;
}

/** Measures an operation that can be repeated with the same sessions, or that needs no session. */
async function measureRepeatable(bench: Bench, operation: Repeatable): Promise<Measurement> {
  const { subject, running, options, folder } = bench;
  const { createAnonymous, createWithIds, retrieve } = subject.requests;
  const collect = (request: RequestTemplate) =>
    subject.group === "limit"
      ? inventTickets(folder, SESSIONS)
      : collectTickets(subject, running.url, request, folder, SESSIONS);
  const common = { url: running.url, folder, seconds: options.seconds };
  const loads: Record<Repeatable, () => Promise<Load>> = {
    retrieve: async () => ({
      ...common,
      request: retrieve,
      tickets: await collect(createWithIds),
    }),
    "retrieve-anonymous": async () => ({
      ...common,
      request: retrieve,
      tickets: await collect(createAnonymous),
    }),
    "retrieve-by-fetch": async () => ({
      ...common,
      request: byFetch(retrieve),
      tickets: await collect(createWithIds),
    }),
    "create-anonymous": async () => ({ ...common, request: createAnonymous }),
    "create-with-ids": async () => ({ ...common, request: createWithIds }),
  };
  const prepared = await loads[operation]();
  await load({ ...prepared, seconds: options.warmUp });
  return measure(running, prepared);
}

/** Measures associating, with or without rotation. Each of many new anonymous sessions is associated once. */
async function measureAssociate(bench: Bench, operation: Single, perSecond: number): Promise<Measurement> {
  const { subject, running, options, folder } = bench;
  const { createAnonymous, associate } = subject.requests;
  const count = Math.ceil(perSecond * (options.warmUp + options.seconds)) + 4 * CONNECTIONS;
  const tickets = await collectTickets(subject, running.url, createAnonymous, folder, count);
  const prepared = {
    url: running.url,
    folder,
    request: operation === "associate" ? associate : rotating(associate),
    tickets,
    order: "once",
  } as const;
  try {
    const { requests } = await load({ ...prepared, seconds: options.warmUp });
    // Also skips the tickets of requests that were still in progress, and so not counted, at the end of the warm-up.
    const first = requests + 2 * CONNECTIONS;
    return await measure(running, { ...prepared, first, seconds: options.seconds });
  } catch (error) {
    if (!(error instanceof Exhausted)) throw error;
    return measureAssociate(bench, operation, perSecond * 2);
  }
}
