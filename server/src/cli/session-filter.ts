import { type Command, Option } from "commander";
import { anySession, type SessionFilter } from "../session/filter.ts";
import { idOf, timeOf } from "./option-values.ts";

/** Values of the options that `addFilter` adds. */
export interface FilterOptions {
  readonly customer?: string;
  readonly agent?: string;
  readonly visit?: string;
  readonly globalVisit?: string;
  readonly state?: "anonymous" | "recognized";
  readonly since?: number;
  readonly until?: number;
}

/** Adds the options that select sessions. */
export function addFilter(command: Command): Command {
  return command
    .option("--customer <id>", "of this customer", idOf)
    .option("--agent <id>", "of this agent", idOf)
    .option("--visit <id>", "of this visit", idOf)
    .option("--global-visit <id>", "of this global visit", idOf)
    .addOption(new Option("--state <state>", "in this state").choices(["anonymous", "recognized"]))
    .option("--since <time>", "created then or later, such as 2026-11-23T10:00Z", timeOf)
    .option("--until <time>", "created before then", timeOf);
}

/** Converts the options into a filter. */
export function filterOf(options: FilterOptions): SessionFilter {
  return {
    ...anySession,
    customerId: options.customer ?? null,
    agentId: options.agent ?? null,
    visitId: options.visit ?? null,
    globalVisitId: options.globalVisit ?? null,
    state: options.state ?? null,
    since: options.since ?? null,
    until: options.until ?? null,
  };
}
