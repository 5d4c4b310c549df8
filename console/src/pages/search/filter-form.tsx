import type { JSX } from "preact";
import { place, setQuery } from "../../router.ts";
import { Select } from "../../ui/field.tsx";
import { FilterMenu, type TypedFilter } from "../../ui/filter-menu.tsx";
import { activeChoices, idFilters, liveChoices, stateChoices } from "./filters.ts";

const firstPage = { cursor: undefined, page: undefined };

const typedFilters: readonly TypedFilter[] = [
  ...idFilters.map(([name, label]) => ({ name, label })),
  { name: "since", label: "Created from", isTime: true },
  { name: "until", label: "Created before", isTime: true },
];

/** The filters. Those that are chosen from lists take effect at once, the others when their form is sent. */
export function QuickFilters(): JSX.Element {
  const { query } = place.value;
  const select = (name: string, label: string, options: readonly (readonly [string, string, number?])[]) => (
    <Select
      label={label}
      value={query.get(name) ?? ""}
      options={options.map(([value, text]) => [value, text])}
      onChange={(value) => setQuery({ ...firstPage, [name]: value })}
    />
  );
  return (
    <div class="filters">
      {select("live", "Status", liveChoices)}
      {select("active", "Last used", activeChoices)}
      {select("state", "Visitor", stateChoices)}
      <FilterMenu
        key={String(query)}
        filters={typedFilters}
        hint="Only whole ids are found. Upper and lower case matter."
        onApply={(values) => setQuery({ ...firstPage, ...values, q: undefined })}
      />
    </div>
  );
}
