import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { BATCH, forwardAuth, recordBatch } from "./record-requests.ts";
import { byPath } from "./requests.ts";
import { send } from "./send.ts";
import { CONNECTIONS, type LoadResult, type Tickets } from "./wrk.ts";

type Entry = Record<string, unknown>;
type Page = { records: Entry[]; total: number };

/**
 * Sends each measured request once and checks the result: the proxy gets the session's customer, and the timeline has
 * every record, with the customer and without the query.
 */
export async function verifyRecording(url: string): Promise<void> {
  const created = (await (await send(url, byPath.createWithIds)).json()) as Entry;
  const id = String(created.sessionId);
  const admitted = await send(url, forwardAuth, id);
  assert.equal(admitted.status, 200);
  assert.equal(admitted.headers.get("gkc-customerId"), created.customerId);
  const recorded = await send(url, recordBatch(), id);
  assert.equal(recorded.status, 202);
  assert.deepEqual(await recorded.json(), { accepted: BATCH });

  const { records, total } = await timeline(url, id, 1000);
  const requests = records.filter(({ type }) => type === "request");
  assert.equal(total, BATCH + 1);
  assert.equal(requests.length, BATCH + 1);
  const [asked, sent] = requests;
  assert.equal(asked?.path, forwardAuth.headers["x-original-uri"]?.split("?")[0]);
  assert.equal(sent?.status, 404);
  assert.ok(requests.every(({ customerId }) => customerId === created.customerId));
}

/** Returns how many requests are in the timelines of these sessions, in total. */
export async function countRecords(url: string, tickets: Tickets): Promise<number> {
  const ids = readFileSync(tickets.file, "utf8").trimEnd().split("\n");
  let total = 0;
  const work = async () => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
      const page = await timeline(url, id, 1);
      total += page.total;
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  return total;
}

/**
 * Throws unless the timelines contain all requests that got a response, and perhaps some that were still in progress.
 */
export function assertCounted(total: number, loads: LoadResult[], each: number): void {
  const answered = loads.reduce((sum, { requests }) => sum + requests, 0) * each;
  const underWay = loads.length * CONNECTIONS * each;
  if (total >= answered && total <= answered + underWay) return;
  throw new Error(`${answered} records were accepted and the timelines count ${total}`);
}

/** Stores a durable record and returns how long (ms) this took. All earlier records are then on the disk too. */
export async function drain(url: string): Promise<number> {
  const { sessionId } = (await (await send(url, byPath.createAnonymous)).json()) as Entry;
  const record = { method: "GET", path: "/" };
  const began = performance.now();
  const response = await fetch(`${url}/sessions/${String(sessionId)}/requests?durable=true`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(record),
  });
  assert.equal(response.status, 202);
  return performance.now() - began;
}

async function timeline(url: string, id: string, limit: number): Promise<Page> {
  const response = await fetch(`${url}/sessions/${id}/requests?limit=${limit}`);
  assert.equal(response.status, 200);
  return (await response.json()) as Page;
}
