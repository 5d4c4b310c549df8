import assert from "node:assert/strict";
import type { Scope } from "../../../src/session/permissions.ts";
import type { RequestRecord } from "../../../src/session/record.ts";
import type { RecordPage } from "../../../src/session/timeline.ts";
import { type Cursor, type Entry, pageOf, timelineStart } from "../../../src/session/timeline.ts";
import { sweepAll, type World } from "./world.ts";

/** A request record that tells itself from others by its path. */
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

/** Records with the paths `/from` to `/to`. */
export function records(from: number, to: number): RequestRecord[] {
  return Array.from({ length: to - from + 1 }, (_, i) => record(from + i));
}

/** Accepts records, which must not be too many. */
export function accept(world: World, id: string, some: readonly RequestRecord[]): void {
  assert.equal(world.store.enqueueRecords(id, some, world.now), true);
}

/** A stretch of a session's records; by default as long a one as there is. */
export function stretch(
  world: World,
  id: string,
  more: { readonly after?: number; readonly limit?: number; readonly scope?: Scope } = {},
): Promise<RecordPage | undefined> {
  const { after = 0, limit = 1000, scope = "everyone" } = more;
  return world.store.readRecordPage({ id, scope, after, limit, now: world.now });
}

/** All lines of a session's timeline, read in pages of `limit` lines at the most. */
export async function timelineOf(world: World, id: string, limit = 1000): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let cursor: Cursor | undefined = timelineStart; cursor !== undefined; ) {
    const found = await stretch(world, id, { after: cursor.sequence, limit });
    assert.ok(found !== undefined, "nothing is told of the session");
    const page = pageOf(found, cursor, limit);
    assert.ok(page.entries.length > 0 || page.next === undefined, "a page leads nowhere");
    entries.push(...page.entries);
    cursor = page.next;
  }
  return entries;
}

/** A timeline in short: requests as `sequence path who`, moments as `type ids who`. */
export async function told(world: World, id: string, limit?: number): Promise<string[]> {
  return (await timelineOf(world, id, limit)).map((entry) => {
    const who = entry.identity.customerId ?? "-";
    return entry.type === "request"
      ? `${entry.sequence} ${entry.record.path} ${who}`
      : `${entry.type} ${entry.fields.join("+")} ${who}`;
  });
}

/** The paths of all records that are left, whose sequences must be without gaps. */
export async function pathsOf(world: World, id: string): Promise<string[]> {
  const requests = (await timelineOf(world, id)).filter((entry) => entry.type === "request");
  const first = requests[0]?.sequence ?? 1;
  for (const [i, { sequence }] of requests.entries()) assert.equal(sequence, first + i);
  return requests.map((entry) => entry.record.path);
}

/** Lets the engine put in order what was recorded up to now, which it does when that is older. */
export async function settle(world: World): Promise<void> {
  await world.store.advanceClock(world.now);
  world.now += 10_000;
  await sweepAll(world);
}

/** Runs `check` on what has just come, on what is in order, and on what was found at a start. */
export async function throughout(
  world: World,
  check: (when: string) => Promise<void>,
): Promise<void> {
  await check("at once");
  await world.reopen();
  await check("after a restart");
  await settle(world);
  await check("in order");
  await world.reopen();
  await check("in order, after a restart");
}
