import type { JSX } from "preact";
import { setQuery } from "../router.ts";
import { Icon } from "./icon.tsx";

/** A filter that is in force. */
export interface Chip {
  /** Name of the parameter in the address. */
  readonly name: string;
  /** Name for people, such as "Customer". */
  readonly label: string;
  readonly value: string;
}

/** The filters in force, each with a button that removes it. They are parameters of the address. */
export function Chips({ chips }: { readonly chips: readonly Chip[] }): JSX.Element | null {
  if (chips.length === 0) return null;
  // A page of the list without a filter is not the same as one with it.
  const remove = (names: readonly string[]) =>
    setQuery({ ...Object.fromEntries(names.map((name) => [name, undefined])), cursor: undefined, page: undefined });
  return (
    <ul class="chips" aria-label="Filters">
      {chips.map(({ name, label, value }) => (
        <li key={name} class="chip">
          <span class="quiet">{label}</span> <bdi>{value}</bdi>
          <button type="button" aria-label={`Remove the filter ${label} ${value}`} onClick={() => remove([name])}>
            <Icon name="close" />
          </button>
        </li>
      ))}
      {chips.length > 1 && (
        <li>
          <button type="button" class="quiet small" onClick={() => remove(chips.map(({ name }) => name))}>
            Clear all
          </button>
        </li>
      )}
    </ul>
  );
}
