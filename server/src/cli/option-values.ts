import { InvalidArgumentError } from "commander";
import { faultOfStoredId } from "../session/caller-ids.ts";
import { handleIn } from "../session/id.ts";
import { faultOfLabel } from "../session/traits.ts";

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

/** Parses the number of items to print. */
export function countOf(text: string): number {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new InvalidArgumentError("A count is a whole number above 0.");
  return count;
}

/** Parses a date, or a date with a time and a time zone, into Unix ms. */
export function timeOf(text: string): number {
  const isTime = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?$/.test(text);
  const time = isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new InvalidArgumentError("A time is a date, or a date with a time and a zone (ISO 8601).");
}
