import type { StatisticsRow } from "../../session/statistics.ts";

/**
 * Port: statistics, a row for each minute and process (contract.md#statistics). Rows are replaced as a whole, so a call
 * that is repeated counts nothing twice.
 */
export interface StatisticsStore {
  /** Stores rows. Each replaces the earlier row of its minute and source. Purges rows before the minute `keepFrom`. */
  storeStatistics(request: {
    readonly rows: readonly StatisticsRow[];
    /** Number of a minute. */
    readonly keepFrom: number;
    /** Unix ms. */
    readonly now: number;
  }): Promise<void>;

  /**
   * Returns the rows of the minutes from `from` to before `to`, in the order of the minutes. The caller asks for an hour
   * or so at a time. Over Redis, rows of several processes may have been added up.
   */
  readStatistics(from: number, to: number): Promise<readonly StatisticsRow[]>;

  /**
   * Returns the number of stored sessions that have not ended, and were not found expired yet. An expiry is found as soon
   * as its event is published. Returns `null` if the engine cannot count them.
   */
  countLive(): Promise<number | null>;
}
