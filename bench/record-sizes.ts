import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { databaseFile, openForReading } from "../server/src/store/sqlite/files/database.ts";
import { allAnswered, round as rounded } from "./measure.ts";
import type { Options } from "./options.ts";
import { folderSize, temporaryFolder } from "./processes.ts";
import { forwardAuth, recordBatch } from "./record-requests.ts";
import { byPath, type RequestTemplate } from "./requests.ts";
import type { RecordSizeResult } from "./results.ts";
import { antechamber, startAntechamber } from "./subjects/antechamber.ts";
import { collectTickets, SESSIONS } from "./tickets.ts";
import { countRecords } from "./timelines.ts";
import { CONNECTIONS, load, type Tickets } from "./wrk.ts";

/**
 * Records per second of the paced load. Each session gets a record every five seconds, as often as the service moves
 * records from the journal to their sessions.
 */
const PACE = 2000;

/** Maximum time (ms) to wait until the service has moved all records to their sessions. */
const MOVE_TIMEOUT_MS = 60_000;

type Arrival = { arrival: string; request: RequestTemplate; pauseMs?: number };

/** Measures the size of stored records for each way in which they arrive. Each way fills a store of its own. */
export async function measureRecordSizes(options: Options, report: (result: RecordSizeResult) => void): Promise<void> {
  const arrivals: Arrival[] = [
    { arrival: "100 in a request", request: recordBatch() },
    { arrival: "forward-auth, as fast as it goes", request: forwardAuth },
    {
      arrival: `forward-auth, ${PACE.toLocaleString("en")} a second`,
      request: forwardAuth,
      pauseMs: (1000 * CONNECTIONS) / PACE,
    },
  ];
  for (const arrival of arrivals) report(await measureArrival(arrival, 4 * options.seconds));
}

async function measureArrival({ arrival, request, pauseMs }: Arrival, seconds: number): Promise<RecordSizeResult> {
  const folder = temporaryFolder();
  const dataDir = join(folder.path, "data");
  try {
    const tickets = await createSessions(dataDir, folder.path);
    const before = folderSize(dataDir);
    const common = { folder: folder.path, request, tickets, seconds };
    const pause = pauseMs === undefined ? {} : { pauseMs, scattered: true };
    const { records, movedInSeconds } = await runOn(dataDir, async (url) => {
      allAnswered(arrival, await load({ ...common, ...pause, url }));
      const began = performance.now();
      await allMoved(dataDir);
      const waited = (performance.now() - began) / 1000;
      return { records: await countRecords(url, tickets), movedInSeconds: rounded(waited, 1) };
    });
    return {
      arrival,
      records,
      bytes: rounded((folderSize(dataDir) - before) / records, 1),
      freeBytes: rounded(freeBytes(dataDir) / records, 1),
      movedInSeconds,
    };
  } finally {
    folder.remove();
  }
}

function createSessions(dataDir: string, folder: string): Promise<Tickets> {
  const create = byPath.createWithIds;
  return runOn(dataDir, (url) => collectTickets(antechamber("bun"), url, create, folder, SESSIONS));
}

/** Runs `work` with a service on a folder. Stopping the service moves SQLite's write-ahead log into the database. */
async function runOn<T>(dataDir: string, work: (url: string) => Promise<T>): Promise<T> {
  const running = await startAntechamber("bun", { dataDir });
  try {
    return await work(running.url);
  } finally {
    await running.close();
  }
}

/** Waits until the journal, in which all records arrive, is empty: every record was then moved to its session. */
async function allMoved(dataDir: string): Promise<void> {
  const until = Date.now() + MOVE_TIMEOUT_MS;
  while (ask(dataDir, "SELECT EXISTS (SELECT 1 FROM journal) AS answer") > 0) {
    if (Date.now() > until) throw new Error("the journal did not become empty");
    await sleep(200);
  }
}

function freeBytes(dataDir: string): number {
  return ask(dataDir, `SELECT freelist_count * page_size AS answer FROM pragma_freelist_count, pragma_page_size`);
}

function ask(dataDir: string, query: string): number {
  const database = openForReading(databaseFile(dataDir));
  try {
    return Number(database.prepare(query).get()?.["answer"]);
  } finally {
    database.close();
  }
}
