import type { ListFilter } from "@antechamber/client/administration";
import type { SessionList, SessionSummary } from "@antechamber/client/protocol";
import { administration } from "../../api/api.ts";

/** Number of rows of a page. */
const PAGE_ROWS = 50;
/** Maximum number of requests for one page: with conditions, a response may have few sessions without being the last. */
const MAX_REQUESTS = 8;

/** Loads one page of sessions. The page is full, unless it is the last, or very few sessions meet the conditions. */
export async function loadSessionPage(
  filter: ListFilter,
  cursor: string | undefined,
  signal: AbortSignal,
  rows: number = PAGE_ROWS,
): Promise<SessionList> {
  const sessions: SessionSummary[] = [];
  let next: string | null | undefined = cursor;
  let total: number | null = null;
  for (let requests = 0; requests < MAX_REQUESTS && sessions.length < rows && next !== null; requests++) {
    const options = { cursor: next, limit: rows - sessions.length, signal };
    const part: SessionList = await administration.listPage(filter, options);
    sessions.push(...part.sessions);
    if (requests === 0) total = part.total;
    next = part.next;
  }
  return { sessions, next: next ?? null, total };
}

/** The number at which the API stops counting the sessions of an id. */
const MAX_TOTAL = 10_000;

/** Formats a number of sessions: "3 sessions", "10,000 sessions or more". */
export function countOf(total: number, isOfId: boolean): string {
  const words = `${total.toLocaleString("en")} ${total === 1 ? "session" : "sessions"}`;
  return isOfId && total >= MAX_TOTAL ? `${words} or more` : words;
}
