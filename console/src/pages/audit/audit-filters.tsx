import type { AuditFilter } from "@antechamber/client/administration";
import type { JSX } from "preact";
import { handleIn } from "../../api/session-names.ts";
import { place, setQuery } from "../../router.ts";
import type { Chip } from "../../ui/chips.tsx";
import { Select } from "../../ui/field.tsx";
import { FilterMenu, type TypedFilter } from "../../ui/filter-menu.tsx";
import { absoluteTime } from "../../ui/time.tsx";

const labels = {
  action: "What",
  actor: "Who",
  customerId: "Customer",
  session: "Session",
  since: "From",
  until: "Before",
} as const;
type FilterName = keyof typeof labels;
const names = Object.keys(labels) as FilterName[];

/** Choices for the filter: operations, and groups of operations. */
const actions = [
  ["", "Everything"],
  ["key", "API keys"],
  ["customer", "Customers: export, erase"],
  ["customer.erase", "Customers: erase"],
  ["session", "Sessions: ended one by one"],
  ["sessions", "Sessions: ended by a filter"],
  ["timeline", "Timelines: read"],
  ["webhook", "Webhooks"],
  ["console", "Console: sign-in, sign-out"],
  ["secret", "Secrets: rotated"],
  ["store", "Store: backup, move"],
] as const;

/** Returns the filter that the address names. */
export function filterOf(query: URLSearchParams): AuditFilter {
  return Object.fromEntries(names.map((name) => [name, query.get(name) || undefined]));
}

/** Returns the filters of the address that are in force. */
export function chipsOf(query: URLSearchParams): readonly Chip[] {
  return names.flatMap((name) => {
    const value = query.get(name);
    if (!value) return [];
    const time = name === "since" || name === "until" ? Date.parse(value) : Number.NaN;
    return [{ name, label: labels[name], value: Number.isNaN(time) ? value : absoluteTime(time) }];
  });
}

const firstPage = { cursor: undefined, page: undefined };

const typedFilters: readonly TypedFilter[] = [
  { name: "actor", label: labels.actor, hint: "Id or name of a key, an agent, or a user of the system" },
  { name: "customerId", label: labels.customerId, hint: "The id as your applications know it" },
  { name: "session", label: labels.session, hint: "A handle" },
  { name: "since", label: labels.since, isTime: true },
  { name: "until", label: labels.until, isTime: true },
];

/** The filters of the audit trail: that of operations takes effect at once, the others when the form is sent. */
export function AuditFilters(): JSX.Element {
  const { query } = place.value;
  const action = query.get("action") ?? "";
  const isListed = actions.some(([value]) => value === action);
  return (
    <div class="filters">
      <Select
        label="What"
        value={action}
        options={isListed ? actions : [...actions, [action, action]]}
        onChange={(value) => setQuery({ ...firstPage, action: value })}
      />
      <FilterMenu
        key={String(query)}
        filters={typedFilters}
        onApply={({ session = "", ...rest }) => setQuery({ ...firstPage, ...rest, session: handleOf(session) })}
      />
    </div>
  );
}

/** Returns the handle in a text, so that no id that opens a session gets into the address. */
function handleOf(text: string): string {
  return handleIn(text) ?? text.trim();
}
