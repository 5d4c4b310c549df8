import { InvalidArgumentError } from "commander";
import { faultOfStoredId } from "../session/caller-ids.ts";
import { handleIn } from "../session/id.ts";
import { faultOfLabel } from "../session/traits.ts";
import { CliError, exitCodes } from "./exit-codes.ts";

/** Parses an id. Refuses an empty id, because the command would then apply to more sessions than intended. */
export function idOf(text: string): string {
  const fault = text === "" ? "is empty" : faultOfStoredId(text);
  if (fault !== undefined) throw new InvalidArgumentError(`The id ${fault}.`);
  return text;
}

/** Parses a label. Refuses an empty label, because the command would then apply to more sessions than intended. */
export function labelOf(text: string): string {
  const fault = text === "" ? "is empty" : faultOfLabel(text);
  if (fault !== undefined) throw new InvalidArgumentError(`The label ${fault}.`);
  return text;
}

/** Parses a handle, or the id of a session, and returns the handle. */
export function handleValueOf(text: string): string {
  const handle = handleIn(text);
  if (handle === undefined) throw new InvalidArgumentError("This is neither a handle nor a session id.");
  return handle;
}

/** Returns the error for a handle or id under which a command finds nothing. `what` is what the command needs. */
export function notFoundBy(handleOrId: string, what: "session" | "live session" | "timeline"): CliError {
  const isLive = what === "live session";
  const reason =
    handleIn(handleOrId) === undefined
      ? "this is neither a handle (24 characters) nor a session id (40 characters)"
      : `another service issued the id, nothing is stored under the handle, or the session was removed${isLive ? " or has ended" : ""}`;
  const list = isLive ? "sessions list --live" : "sessions list";
  return new CliError(exitCodes.notFound, `there is no such ${what}: ${reason}; antechamber ${list} shows the handles`);
}

/** Parses the number of items to print. */
export function countOf(text: string): number {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new InvalidArgumentError("A count is a whole number above 0.");
  return count;
}

/** Parses a date, or a date with a time and a time zone, into Unix ms. */
export function timeOf(text: string): number {
  const time = timeIn(text);
  if (time !== undefined) return time;
  throw new InvalidArgumentError(
    "A time is a date, or a date with a time and a zone (ISO 8601), such as 2026-11-30T12:00:00Z.",
  );
}

/** Returns the Unix ms of a date, or of a date with a time and a time zone; `undefined` if the text is neither. */
export function timeIn(text: string): number | undefined {
  const isTime = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?$/.test(text);
  const time = isTime ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
