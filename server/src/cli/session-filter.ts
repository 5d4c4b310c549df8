import { type Command, Option } from "commander";
import { type IdField, idFields } from "../session/fields.ts";
import { anySession, type SessionFilter } from "../session/filter.ts";
import { identityOf } from "../session/session.ts";
import { idOf, labelOf, timeOf } from "./option-values.ts";

/** `agentId` has the option `--agent`, whose value commander calls `agent`; `globalVisitId` has `--global-visit`. */
type OptionName<Field = IdField> = Field extends `${infer Name}Id` ? Name : never;

const nameOf = (field: IdField) => field.slice(0, -"Id".length) as OptionName;
const wordsOf = (field: IdField) => nameOf(field).replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** Values of the options that `addFilter` adds. */
export interface FilterOptions extends Readonly<Partial<Record<OptionName, string>>> {
  readonly label?: string;
  readonly state?: "anonymous" | "recognized";
  readonly since?: number;
  readonly until?: number;
  readonly activeSince?: number;
}

/** Adds the options that select sessions. */
export function addFilter(command: Command): Command {
  for (const field of idFields) {
    const words = wordsOf(field);
    command.option(`--${words.replaceAll(" ", "-")} <id>`, `of this ${words}`, idOf);
  }
  return command
    .option("--label <text>", "with exactly this label", labelOf)
    .addOption(new Option("--state <state>", "in this state").choices(["anonymous", "recognized"]))
    .option("--since <time>", "created then or later, such as 2026-11-23T10:00Z", timeOf)
    .option("--until <time>", "created before this time", timeOf)
    .option("--active-since <time>", "last used then or later", timeOf);
}

/** Converts the options into a filter. */
export function filterOf(options: FilterOptions): SessionFilter {
  return {
    ...anySession,
    ...identityOf((field) => options[nameOf(field)] ?? null),
    label: options.label ?? null,
    state: options.state ?? null,
    since: options.since ?? null,
    until: options.until ?? null,
    activeSince: options.activeSince ?? null,
  };
}
