import type { ComponentChildren, JSX } from "preact";
import { Icon } from "./icon.tsx";

export interface FilterMenuProps {
  readonly onApply: () => void;
  readonly children: ComponentChildren;
}

/** The menu with the filters that are typed. They take effect together when the form is sent. */
export function FilterMenu({ onApply, children }: FilterMenuProps): JSX.Element {
  return (
    <details class="menu wide">
      <summary class="button">
        <Icon name="filter" /> More filters
      </summary>
      <form
        class="menu-body"
        onSubmit={(event) => {
          event.preventDefault();
          onApply();
        }}
      >
        {children}
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
export function localTime(iso: string | null): string {
  const time = Date.parse(iso ?? "");
  if (Number.isNaN(time)) return "";
  return new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Returns the value of such a field as an ISO 8601 time in UTC; `undefined` if it is empty. */
export function isoTime(local: string): string | undefined {
  const time = Date.parse(local);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
