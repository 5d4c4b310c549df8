import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { place } from "../router.ts";
import { Field } from "./field.tsx";
import { Icon } from "./icon.tsx";

/** A filter that is typed, and the name of its value in the address. */
export interface TypedFilter {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  /** Whether the value is a time: ISO 8601 in the address, and in the field the browser's time zone. */
  readonly isTime?: true;
}

export interface FilterMenuProps {
  readonly filters: readonly TypedFilter[];
  /** A hint about all filters. */
  readonly hint?: string;
  /** Receives the value of each filter for the address. */
  readonly onApply: (values: Readonly<Record<string, string | undefined>>) => void;
}

/**
 * The menu with the filters that are typed. They begin as the address has them, and take effect together when the form is
 * sent.
 */
export function FilterMenu({ filters, hint, onApply }: FilterMenuProps): JSX.Element {
  const { query } = place.value;
  const given = filters.map(({ name, isTime }): [string, string] => [
    name,
    isTime ? localTime(query.get(name)) : (query.get(name) ?? ""),
  ]);
  const values = useSignal<Readonly<Record<string, string>>>(Object.fromEntries(given));
  const textIn = (name: string) => values.value[name] ?? "";
  return (
    <details class="menu wide">
      <summary class="button">
        <Icon name="filter" /> More filters
      </summary>
      <form
        class="menu-body"
        onSubmit={(event) => {
          event.preventDefault();
          const typed = filters.map(({ name, isTime }): [string, string | undefined] => [
            name,
            isTime ? isoTime(textIn(name)) : textIn(name),
          ]);
          onApply(Object.fromEntries(typed));
        }}
      >
        {hint && <p class="hint">{hint}</p>}
        <div class="field-grid">
          {filters.map(({ name, label, hint: note, isTime }) => (
            <Field
              key={name}
              label={label}
              type={isTime ? "datetime-local" : "text"}
              hint={note}
              value={textIn(name)}
              onInput={(value) => {
                values.value = { ...values.value, [name]: value };
              }}
            />
          ))}
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

/**
 * Returns an ISO 8601 time as the value of a field of the type `datetime-local`, in the browser's time zone; `""` if there is
 * no valid time.
 */
function localTime(iso: string | null): string {
  const time = Date.parse(iso ?? "");
  if (Number.isNaN(time)) return "";
  return new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Returns the value of such a field as an ISO 8601 time in UTC; `undefined` if it is empty. */
function isoTime(local: string): string | undefined {
  const time = Date.parse(local);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
