import { type Command, InvalidArgumentError, Option } from "commander";
import { faultOfStoredId } from "../session/caller-ids.ts";
import { anySession, type SessionFilter } from "../session/filter.ts";

/** What the options of a command say about sessions. */
export interface FilterOptions {
  readonly customer?: string;
  readonly agent?: string;
  readonly visit?: string;
  readonly globalVisit?: string;
  readonly state?: "anonymous" | "recognized";
  readonly since?: number;
  readonly until?: number;
}

/** Adds the options that tell sessions apart. */
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

/** The filter that the options make. */
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

/** Parses an id; refuses an empty one, since a filter wider than intended does harm. */
export function idOf(text: string): string {
  const fault = text === "" ? "is empty" : faultOfStoredId(text);
  if (fault !== undefined) throw new InvalidArgumentError(`The id ${fault}.`);
  return text;
}

function timeOf(text: string): number {
  const time = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(time)) {
    throw new InvalidArgumentError(
      "A time is a date, or a date with a time and a zone (ISO 8601).",
    );
  }
  return time;
}
