import type { AuditFilter } from "@antechamber/client/administration";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { handleIn } from "../../api/session-names.ts";
import { place, setQuery } from "../../router.ts";
import type { Chip } from "../../ui/chips.tsx";
import { Field, Select } from "../../ui/field.tsx";
import { FilterMenu, isoTime, localTime } from "../../ui/filter-menu.tsx";
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
      <MoreFilters key={String(query)} />
    </div>
  );
}

function MoreFilters(): JSX.Element {
  const { query } = place.value;
  const typed = names.filter((name) => name !== "action");
  const values = useSignal<Readonly<Record<string, string>>>(
    Object.fromEntries(
      typed.map((name) => [
        name,
        name === "since" || name === "until" ? localTime(query.get(name)) : (query.get(name) ?? ""),
      ]),
    ),
  );
  const field = (name: FilterName, type: "text" | "datetime-local", hint?: string) => (
    <Field
      label={labels[name]}
      type={type}
      hint={hint}
      value={values.value[name] ?? ""}
      onInput={(value) => {
        values.value = { ...values.value, [name]: value };
      }}
    />
  );
  return (
    <FilterMenu
      onApply={() => {
        const { since = "", until = "", session = "", ...rest } = values.value;
        setQuery({ ...firstPage, ...rest, session: handleOf(session), since: isoTime(since), until: isoTime(until) });
      }}
    >
      <div class="field-grid">
        {field("actor", "text", "Id or name of a key, an agent, or a user of the system")}
        {field("customerId", "text", "The id as your applications know it")}
        {field("session", "text", "A handle")}
        {field("since", "datetime-local")}
        {field("until", "datetime-local")}
      </div>
    </FilterMenu>
  );
}

/** Returns the handle in a text, so that no id that opens a session gets into the address. */
function handleOf(text: string): string {
  return handleIn(text) ?? text.trim();
}
