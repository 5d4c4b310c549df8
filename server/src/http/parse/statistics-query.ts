import type { Fault } from "../../session/errors.ts";
import type { RangeRequest } from "../../session/statistics-range.ts";
import { refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";
import { parseTime } from "./time.ts";

const names: readonly string[] = ["since", "until", "step"];

/** Reads a request for statistics. Refuses with `invalid-request`, which lists every fault. */
export function readStatisticsQuery(query: string): RangeRequest {
  const parameters = parametersOf(query);
  const faults: Fault[] = [];
  const fault = (name: string, detail: string) => faults.push({ in: "query", name: name.slice(0, 32), detail });
  for (const name of new Set(parameters.keys())) {
    if (!names.includes(name)) {
      fault(name, `There is a parameter that is not known here; there are ${names.join(", ")}.`);
    } else if (parameters.getAll(name).length > 1) fault(name, `${name} is given twice.`);
  }
  const timeOf = (name: string) => {
    const text = parameters.get(name);
    if (text === null) return undefined;
    const time = parseTime(text);
    if (time === undefined) fault(name, `${name} is not a time with a zone (ISO 8601), such as 2026-11-30T12:00:00Z.`);
    return time;
  };
  const since = timeOf("since");
  const until = timeOf("until");
  const text = parameters.get("step");
  const step = text === null ? undefined : /^\d{1,7}$/.test(text) ? Number(text) : 0;
  refuseFaults(faults);
  return { since, until, step };
}
