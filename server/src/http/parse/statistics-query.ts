import type { Fault } from "../../session/errors.ts";
import type { RangeRequest } from "../../session/statistics-range.ts";
import { refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";
import { checkParameterNames } from "./paging.ts";
import { parseTime } from "./time.ts";

/** Reads a request for statistics. Refuses with `invalid-request`, which lists every fault. */
export function readStatisticsQuery(query: string): RangeRequest {
  const parameters = parametersOf(query);
  const faults: Fault[] = [];
  checkParameterNames(parameters, ["since", "until", "step"], faults);
  const timeOf = (name: string) => {
    const text = parameters.get(name);
    if (text === null) return undefined;
    const time = parseTime(text);
    if (time === undefined) {
      const detail = `${name} is not a time with a zone (ISO 8601), such as 2026-11-30T12:00:00Z.`;
      faults.push({ in: "query", name, detail });
    }
    return time;
  };
  const since = timeOf("since");
  const until = timeOf("until");
  const text = parameters.get("step");
  const step = text === null ? undefined : /^\d{1,7}$/.test(text) ? Number(text) : 0;
  refuseFaults(faults);
  return { since, until, step };
}
