import assert from "node:assert/strict";
import type { Scope } from "../../../src/session/permissions.ts";
import type { RequestRecord } from "../../../src/session/record.ts";
import type { RecordPage } from "../../../src/session/timeline.ts";
import { type Cursor, type Entry, pageOf, timelineStart } from "../../../src/session/timeline.ts";
import { purgeAll, type World } from "./world.ts";

/** Returns a request record that is recognized by its path. */
export function record(path: string | number, more: Partial<RequestRecord> = {}): RequestRecord {
  return {
    method: "GET",
    path: `/${path}`,
    status: 200,
    startedAt: 1_795_428_000_000,
    durationMs: 1.5,
    service: null,
    attributes: {},
    ...more,
  };
}

/** Returns records with the paths `/from` to `/to`. */
export function records(from: number, to: number): RequestRecord[] {
  return Array.from({ length: to - from + 1 }, (_, i) => record(from + i));
}

/** Queues records; the queue must have room. */
export function enqueue(world: World, handle: string, some: readonly RequestRecord[]): void {
  assert.equal(world.store.enqueueRecords(handle, some, world.now), true);
}

/** Reads a page of a session's records; by default the longest possible. */
export function readPage(
  world: World,
  handle: string,
  more: { readonly after?: number; readonly limit?: number; readonly scope?: Scope } = {},
): Promise<RecordPage | undefined> {
  const { after = 0, limit = 1000, scope = "everyone" } = more;
  return world.store.readRecordPage({ handle, scope, after, limit, now: world.now });
}

/** Reads all entries of a session's timeline, in pages of at most `limit` entries. */
export async function timelineOf(world: World, handle: string, limit = 1000): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let cursor: Cursor | undefined = timelineStart; cursor !== undefined; ) {
    const found = await readPage(world, handle, { after: cursor.sequence, limit });
    assert.ok(found !== undefined, "there is no timeline of the session");
    const page = pageOf(found, cursor, limit);
    assert.ok(page.entries.length > 0 || page.next === undefined, "a page leads nowhere");
    entries.push(...page.entries);
    cursor = page.next;
  }
  return entries;
}

/** Reads a timeline in short form: requests as `sequence path customer`, events as `type fields customer`. */
export async function readSummary(world: World, handle: string, limit?: number): Promise<string[]> {
  return (await timelineOf(world, handle, limit)).map((entry) => {
    const who = entry.identity.customerId ?? "-";
    return entry.type === "request"
      ? `${entry.sequence} ${entry.record.path} ${who}`
      : `${entry.type} ${entry.fields.join("+")} ${who}`;
  });
}

/** Reads the paths of all remaining records, whose sequences must have no gaps. */
export async function pathsOf(world: World, handle: string): Promise<string[]> {
  const requests = (await timelineOf(world, handle)).filter((entry) => entry.type === "request");
  const first = requests[0]?.sequence ?? 1;
  for (const [i, { sequence }] of requests.entries()) assert.equal(sequence, first + i);
  return requests.map((entry) => entry.record.path);
}

/** Makes the engine compact the records so far, which it does when they are a few seconds old. */
export async function compact(world: World): Promise<void> {
  await world.store.advanceClock(world.now);
  world.now += 10_000;
  await purgeAll(world);
}

/** Runs `check` on new records and on compacted ones, each before and after a restart. */
export async function inEveryState(world: World, check: (when: string) => Promise<void>): Promise<void> {
  await check("at once");
  await world.reopen();
  await check("after a restart");
  await compact(world);
  await check("compacted");
  await world.reopen();
  await check("compacted, after a restart");
}
