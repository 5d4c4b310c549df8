import type { SessionFilter } from "../../session/filter.ts";
import type { Session } from "../../session/session.ts";

/** Port: finding sessions. */
export interface SessionSearch {
  /**
   * Returns a page of the sessions for which something is stored. Includes ended and expired sessions until their
   * retention is over. A session of which only records are stored appears with a delay of a few seconds.
   */
  listSessions(request: ListRequest): Promise<SessionPage>;
}

/** A request for a page of sessions. */
export interface ListRequest {
  readonly filter: SessionFilter;
  /** `next` of the previous page; `null` for the first page. */
  readonly after: string | null;
  /**
   * Maximum number of sessions. For each page the engine examines a bounded number of sessions. So a page may have
   * fewer sessions, or none, although later pages have some.
   */
  readonly limit: number;
  /** Unix ms. */
  readonly now: number;
  /** Whether to include sessions whose retention is over but which are not purged yet; an erasure needs them. */
  readonly includePurgeable?: boolean;
  /**
   * Whether to refuse with `unavailable` while sessions may be missing because a part of the indexes was lost. An operation
   * that promises to find all sessions needs it: an erasure, an export, the end of many.
   */
  readonly mustBeComplete?: boolean;
}

/** A page of sessions. */
export interface SessionPage {
  /**
   * Sessions in descending order of the bytes of their ids, so the newest come first. A session without ids is listed
   * only while it is live or has records.
   */
  readonly sessions: readonly Session[];
  /**
   * Cursor of the next page: the sort key (`sortKeyOf`) of the last session that was examined for this page. `null` if
   * this is the last page. If sessions are created or purged between two pages, no other session is skipped or
   * repeated. The sort key of any session is a valid cursor.
   */
  readonly next: string | null;
  /**
   * Number of matching sessions. Given only on the first page, and only if the filter has no condition or just one id;
   * otherwise `null`. With one id, the number is at most `MAX_COUNTED`, which then means this number or more. The
   * number may include sessions that are about to be purged.
   */
  readonly total: number | null;
}

/** Upper bound of `SessionPage.total` for a filter with one id. */
export const MAX_COUNTED = 10_000;
