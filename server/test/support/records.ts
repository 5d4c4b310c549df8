import assert from "node:assert/strict";
import type { RecordReceipt, Timeline, TimelineEntry } from "@antechamber/client/protocol";
import { type Answer, type Api, type RequestOptions, sessionOf } from "./api.ts";

/** Returns the path of a session's requests. */
export const requestsOf = (id: string) => `/sessions/${id}/requests`;

/** A record with only the required members. */
export const visit = (path: string) => ({ method: "GET", path });

/** Returns records with the paths `/1` to `/count`. */
export const visits = (count: number) => Array.from({ length: count }, (_, i) => visit(`/${i + 1}`));

/** Creates a session with these ids. */
export async function newSession(api: Api, options: RequestOptions = {}): Promise<string> {
  return sessionOf(await api.create(options)).sessionId;
}

/** Sends records, and returns any response. */
export function post(
  api: Api,
  id: string,
  json: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return api.call("POST", requestsOf(id), { json, headers });
}

/** Returns how many records were accepted; throws for any response except a 202. */
export function acceptedOf(answer: Answer): number {
  assert.equal(answer.status, 202, answer.text);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  return (JSON.parse(answer.text) as RecordReceipt).accepted;
}

/** Returns the timeline in a response; throws for any response except a 200. */
function timelineIn(answer: Answer): Timeline {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  return JSON.parse(answer.text) as Timeline;
}

/** Reads a page of a session's timeline; by default the longest possible. */
export async function pageOf(api: Api, id: string, query = "limit=1000"): Promise<Timeline> {
  return timelineIn(await api.call("GET", `${requestsOf(id)}?${query}`));
}

/** Reads a session's whole timeline, page by page. */
export async function wholeTimeline(api: Api, id: string, limit = 1000): Promise<readonly TimelineEntry[]> {
  const entries: TimelineEntry[] = [];
  let after: string | null = "";
  while (after !== null) {
    const page: Timeline = await pageOf(api, id, `limit=${limit}&after=${after}`);
    assert.ok(page.records.length <= limit);
    entries.push(...page.records);
    after = page.next;
  }
  return entries;
}

/** Returns the paths of the requests in a timeline, whose sequences must have no gaps. */
export function pathsIn(entries: readonly TimelineEntry[]): string[] {
  const requests = entries.filter((entry) => entry.type === "request");
  const first = requests[0]?.sequence ?? 1;
  for (const [i, { sequence }] of requests.entries()) assert.equal(sequence, first + i);
  return requests.map(({ path }) => path);
}
