import type { TimelineEntry } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { Field, Select } from "../ui/field.tsx";
import { type EntryFilter, servicesOf } from "./entries.ts";

const statusChoices: readonly (readonly [string, string])[] = [
  ["", "Every status"],
  ["errors", "Errors (4xx, 5xx)"],
  ["2", "2xx"],
  ["3", "3xx"],
  ["4", "4xx"],
  ["5", "5xx"],
  ["slow", "Slow (1 s or more)"],
];

export interface TimelineFiltersProps {
  readonly entries: readonly TimelineEntry[];
  readonly filter: EntryFilter;
  readonly onFilter: (filter: EntryFilter) => void;
}

/** The filters of a timeline. */
export function TimelineFilters({ entries, filter, onFilter }: TimelineFiltersProps): JSX.Element {
  const services = useMemo(() => servicesOf(entries), [entries]);
  const options: (readonly [string, string])[] = [
    ["", "Every service"],
    ...services.map((name) => [name, name] as const),
  ];
  if (filter.service !== "" && !services.includes(filter.service)) options.push([filter.service, filter.service]);
  return (
    <div class="filters tl-filters">
      <Select
        label="Service"
        value={filter.service}
        options={options}
        onChange={(service) => onFilter({ ...filter, service })}
      />
      <Select
        label="Status"
        value={filter.status}
        options={statusChoices}
        onChange={(status) => onFilter({ ...filter, status })}
      />
      <Field label="Path contains" value={filter.path} onInput={(path) => onFilter({ ...filter, path })} />
    </div>
  );
}
