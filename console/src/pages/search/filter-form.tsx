import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { place, setQuery } from "../../router.ts";
import { Field, Select } from "../../ui/field.tsx";
import { FilterMenu, isoTime, localTime } from "../../ui/filter-menu.tsx";
import { activeChoices, idFilters, liveChoices, stateChoices } from "./filters.ts";

const firstPage = { cursor: undefined, page: undefined };

/** The filters that are chosen from lists. They take effect at once. */
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
      <MoreFilters key={String(query)} />
    </div>
  );
}

function MoreFilters(): JSX.Element {
  const { query } = place.value;
  const values = useSignal<Readonly<Record<string, string>>>({
    ...Object.fromEntries(idFilters.map(([name]) => [name, query.get(name) ?? ""])),
    since: localTime(query.get("since")),
    until: localTime(query.get("until")),
  });
  const field = (name: string, label: string, type: "text" | "datetime-local" = "text") => (
    <Field
      key={name}
      label={label}
      type={type}
      value={values.value[name] ?? ""}
      onInput={(value) => {
        values.value = { ...values.value, [name]: value };
      }}
    />
  );
  return (
    <FilterMenu
      onApply={() => {
        const { since = "", until = "", ...ids } = values.value;
        setQuery({ ...firstPage, ...ids, since: isoTime(since), until: isoTime(until), q: undefined });
      }}
    >
      <p class="hint">Only whole ids are found. Upper and lower case matter.</p>
      <div class="field-grid">
        {idFilters.map(([name, label]) => field(name, label))}
        {field("since", "Created from", "datetime-local")}
        {field("until", "Created before", "datetime-local")}
      </div>
    </FilterMenu>
  );
}
