import type { EventType } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { place, setQuery } from "../../router.ts";
import type { Chip } from "../../ui/chips.tsx";
import { Field } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { eventTypes, filteredTypes } from "./event-columns.tsx";
import type { EventFilter } from "./shared-stream.ts";

/** Returns the filter in an address. Unknown types are ignored. */
export function filterIn(query: URLSearchParams): EventFilter {
  const named = query.get("types")?.split(",") ?? [];
  const types = filteredTypes.filter((type) => named.includes(type));
  return { types: types.length === 0 ? undefined : types, customerId: query.get("customerId") || undefined };
}

/** Returns the filters in force. */
export function chipsIn(query: URLSearchParams): readonly Chip[] {
  const { types, customerId } = filterIn(query);
  return [
    ...(types
      ? [{ name: "types", label: "Events", value: types.map((type) => eventTypes[type].name).join(", ") }]
      : []),
    ...(customerId ? [{ name: "customerId", label: "Customer", value: customerId }] : []),
  ];
}

/** The choice of types, which takes effect at once, and the field for a customer. */
export function LiveFilters(): JSX.Element {
  const { query } = place.value;
  const { types, customerId } = filterIn(query);
  const change = (type: EventType, isShown: boolean) => {
    const chosen = filteredTypes.filter((each) => (each === type ? isShown : types?.includes(each)));
    setQuery({ types: chosen.length === filteredTypes.length ? undefined : chosen.join(",") }, { replace: true });
  };
  return (
    <div class="filters">
      <CustomerFilter key={customerId ?? ""} customerId={customerId ?? ""} />
      <details class="menu">
        <summary class="button">
          <Icon name="filter" /> Events
        </summary>
        <fieldset class="menu-body">
          <legend class="visually-hidden">Types of events to show; all of them if none is chosen</legend>
          {filteredTypes.map((type) => (
            <label key={type}>
              <input
                type="checkbox"
                checked={types?.includes(type) ?? false}
                onChange={(event) => change(type, event.currentTarget.checked)}
              />
              {eventTypes[type].name}
            </label>
          ))}
        </fieldset>
      </details>
    </div>
  );
}

function CustomerFilter({ customerId }: { readonly customerId: string }): JSX.Element {
  const text = useSignal(customerId);
  return (
    <form
      class="filter-form"
      onSubmit={(event) => {
        event.preventDefault();
        setQuery({ customerId: text.value.trim() || undefined });
      }}
    >
      <Field
        label="Customer"
        value={text.value}
        placeholder="Id, then Enter"
        onInput={(value) => {
          text.value = value;
        }}
      />
    </form>
  );
}
