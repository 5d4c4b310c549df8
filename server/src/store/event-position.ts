import { isEventId } from "../session/event.ts";

/**
 * A position in the event log: the sequence of the event before it, and the time (Unix ms) at which that event was
 * stored. The time shows whether the event is still the same one: a restored backup counts the same sequences again.
 * 0 if the time is not known.
 */
export interface EventPosition {
  readonly sequence: number;
  readonly at: number;
}

/** The lengths of the parts of an id (`isEventId`). They suffice until the year 5188. */
const TIME_DIGITS = 9;
const SEQUENCE_DIGITS = 10;

export function formatPosition({ at, sequence }: EventPosition): string {
  return `${digits(at, TIME_DIGITS)}-${digits(sequence, SEQUENCE_DIGITS)}`;
}

/** Returns the position in a text; `undefined` if the text is not one that `formatPosition` returns. */
export function parsePosition(text: string): EventPosition | undefined {
  if (!isEventId(text)) return undefined;
  const [at = "", sequence = ""] = text.split("-");
  return { at: Number.parseInt(at, 36), sequence: Number.parseInt(sequence, 36) };
}

function digits(value: number, length: number): string {
  return value.toString(36).padStart(length, "0");
}
