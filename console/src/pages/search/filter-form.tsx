import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { place, setQuery } from "../../router.ts";
import { Field, Select } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
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

/** The filters that are typed. They take effect together when the form is sent. */
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
    <details class="menu wide">
      <summary class="button">
        <Icon name="filter" /> More filters
      </summary>
      <form
        class="menu-body"
        onSubmit={(event) => {
          event.preventDefault();
          const { since = "", until = "", ...ids } = values.value;
          setQuery({ ...firstPage, ...ids, since: isoTime(since), until: isoTime(until), q: undefined });
        }}
      >
        <p class="hint">Ids are found as a whole, with the same capital letters.</p>
        <div class="field-grid">
          {idFilters.map(([name, label]) => field(name, label))}
          {field("since", "Created from", "datetime-local")}
          {field("until", "Created before", "datetime-local")}
        </div>
        <div class="buttons">
          <button type="submit" class="primary">
            Apply
          </button>
        </div>
      </form>
    </details>
  );
}

/** Returns a time in the form of the field: in the browser's time zone, which the field does not name. */
function localTime(iso: string | null): string {
  const time = Date.parse(iso ?? "");
  if (Number.isNaN(time)) return "";
  const shifted = new Date(time - new Date(time).getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

function isoTime(local: string): string | undefined {
  const time = Date.parse(local);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
