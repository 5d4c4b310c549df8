import type { StatisticsInfo } from "@antechamber/client/protocol";
import { z } from "zod";
import { statisticsInfo } from "../wire/statistics-info.ts";
import { define } from "./define.ts";

/*
 * The operation that reads statistics. Its result has the form in which the API shows them.
 */

const number = z.number();
const column = z.array(number.nullable()).readonly();
const columns = z.record(z.string(), column).readonly();
const percentiles = z.object({ p50: column, p95: column, p99: column });

const statistics = z.object({
  since: z.string(),
  until: z.string(),
  step: number,
  times: z.array(z.string()).readonly(),
  sessions: z.object({ created: column, associated: column, ended: column, expired: column, live: column }),
  records: z.object({ byService: columns, byStatus: columns }),
  durations: z.record(z.string(), percentiles).readonly(),
  requests: z.record(z.string(), columns).readonly(),
  latency: z.record(z.string(), percentiles).readonly(),
  refusals: columns,
}) satisfies z.ZodType<StatisticsInfo>;

const faults = z.object({
  faults: z.array(z.object({ name: z.enum(["since", "until", "step"]), detail: z.string() })).readonly(),
});

/** Returns statistics of a range, or the faults of the request. Times are Unix ms, the step is in seconds. */
export const readStatistics = define(
  z.object({ since: number.exactOptional(), until: number.exactOptional(), step: number.exactOptional() }),
  z.union([faults, statistics]),
  async (use, _by, range) => {
    const result = await use.statistics.read(range);
    return "faults" in result ? result : statisticsInfo(result);
  },
);
