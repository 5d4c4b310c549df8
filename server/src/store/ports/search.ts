import type { SessionFilter } from "../../session/filter.ts";
import type { Session } from "../../session/session.ts";

/** Port: finding sessions. */
export interface SessionSearch {
  /**
   * Returns a page of the sessions within their retention of which something is stored, live or not. A session that
   * exists only through its records appears with a delay of a few seconds.
   */
  listSessions(request: ListRequest): Promise<SessionPage>;
}

/** A request for a page of sessions, newest first. */
export interface ListRequest {
  readonly filter: SessionFilter;
  /** `next` of the previous page; `null` for the first page. */
  readonly after: string | null;
  /**
   * Maximum number of sessions. A page does a bounded amount of work, so where few of many sessions match it may have
   * fewer, or even none.
   */
  readonly limit: number;
  readonly now: number;
  /** Includes sessions whose retention is over but which have not been purged yet, in order to erase them. */
  readonly includePurgeable?: boolean;
}

/** A page of sessions. */
export interface SessionPage {
  /** In descending order of their ids' bytes: newest first. Implicit sessions are listed only while they live or have records. */
  readonly sessions: readonly Session[];
  /**
   * Cursor of the next page: `sortKeyOf` the last session that was examined. `null` after the last page. Sessions that are
   * created or purged between two pages do not shift the others. The sort key of any session is a valid cursor.
   */
  readonly next: string | null;
  /**
   * Number of matching sessions, up to `MAX_COUNTED`, which stands for that many or more. Given only on the first page, and
   * only if the filter asks for nothing or for a single id, else `null`. It may include sessions that have expired and are
   * about to be purged.
   */
  readonly total: number | null;
}

/** Upper bound of `SessionPage.total`. */
export const MAX_COUNTED = 10_000;
