import { allAnswered, calmest, type Measurement, measure, round as rounded } from "./measure.ts";
import type { Options } from "./options.ts";
import { temporaryFolder } from "./processes.ts";
import { BATCH, forwardAuth, recordBatch } from "./record-requests.ts";
import { byPath, type RequestTemplate } from "./requests.ts";
import type { Recording, RecordsResult } from "./results.ts";
import type { Running } from "./subject.ts";
import { antechamber, startAntechamber } from "./subjects/antechamber.ts";
import { collectTickets, SESSIONS } from "./tickets.ts";
import { assertCounted, countRecords, drain, verifyRecording } from "./timelines.ts";
import { type LoadResult, load } from "./wrk.ts";

/** The measured requests, and the number of records that the service makes of each request. */
const kinds: Record<Recording, { request: () => RequestTemplate; each: number }> = {
  retrieve: { request: () => byPath.retrieve, each: 0 },
  "forward-auth": { request: () => forwardAuth, each: 1 },
  batches: { request: recordBatch, each: BATCH },
};

/**
 * Measures three kinds of requests: retrieving, which records nothing; forward authentication, which records one
 * request; and recording a hundred requests at once. Each kind runs in a process of its own; the order rotates.
 */
export async function measureRecords(
  runtime: "bun" | "node",
  round: number,
  options: Options,
  report: (result: RecordsResult) => void,
): Promise<void> {
  const order = Object.keys(kinds) as Recording[];
  for (const recording of round % 2 === 1 ? order : order.toReversed()) {
    const running = await startAntechamber(runtime);
    try {
      const subject = antechamber(runtime).name;
      report({ round, subject, recording, ...(await measureOne(running, recording, options)) });
    } finally {
      await running.close();
    }
  }
}

type Found = Pick<RecordsResult, "measurement" | "recordsPerSecond" | "drainMs">;

async function measureOne(running: Running, recording: Recording, { seconds, warmUp, quick }: Options): Promise<Found> {
  const folder = temporaryFolder();
  const { request, each } = kinds[recording];
  const { url } = running;
  const drainTimes = new Map<Measurement, number>();
  const loads: LoadResult[] = [];
  try {
    await verifyRecording(url);
    const subject = antechamber("bun");
    const create = byPath.createWithIds;
    const tickets = await collectTickets(subject, url, create, folder.path, SESSIONS);
    const prepared = { url, folder: folder.path, request: request(), tickets };
    loads.push(await load({ ...prepared, seconds: warmUp }));
    const once = async () => {
      const measurement = await measure(running, { ...prepared, seconds });
      drainTimes.set(measurement, each === 0 ? 0 : await drain(url));
      loads.push(measurement);
      return measurement;
    };
    const measurement = await calmest(once, quick);
    for (const one of loads) allAnswered(recording, one);
    if (each > 0) assertCounted(await countRecords(url, tickets), loads, each);
    return { measurement, ...storedIn(measurement, each, drainTimes.get(measurement) ?? 0) };
  } finally {
    folder.remove();
  }
}

/**
 * Returns how many records per second were stored on disk. The time includes `drainMs`, the time after the load until
 * the last record was on disk.
 */
function storedIn({ requests, perSecond }: Measurement, each: number, drainMs: number) {
  const seconds = requests / perSecond + drainMs / 1000;
  return {
    recordsPerSecond: Math.round((requests * each) / seconds),
    drainMs: rounded(drainMs, 1),
  };
}
