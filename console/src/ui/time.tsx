import { type ReadonlySignal, signal } from "@preact/signals";
import type { JSX } from "preact";
import { timeForm } from "../preferences.ts";

/** The current time in Unix ms for relative times. It is updated every ten seconds while the page is visible. */
const clock = signal(Date.now());
setInterval(() => {
  if (!document.hidden) clock.value = Date.now();
}, 10_000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) clock.value = Date.now();
});

/** The current time in Unix ms, up to ten seconds late. */
export const now: ReadonlySignal<number> = clock;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const relativeFormat = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const dateFormat = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const exactFormat = new Intl.DateTimeFormat(undefined, {
  dateStyle: "full",
  timeStyle: "long",
});

/** Formats a time in Unix ms relative to the current time, such as "3 minutes ago" or "in 2 hours". */
export function relativeTime(at: number, present: number = Date.now()): string {
  const distance = at - present;
  const size = Math.abs(distance);
  if (size < 10 * SECOND) return "just now";
  if (size < MINUTE) return relativeFormat.format(Math.round(distance / SECOND), "second");
  if (size < HOUR) return relativeFormat.format(Math.round(distance / MINUTE), "minute");
  if (size < 2 * DAY) return relativeFormat.format(Math.round(distance / HOUR), "hour");
  return relativeFormat.format(Math.round(distance / DAY), "day");
}

/** Formats a time in Unix ms as a date and a time of day, in the time zone of the browser. */
export function absoluteTime(at: number): string {
  return dateFormat.format(at);
}

/** Formats milliseconds, such as "12 ms", "1.4 s", "3 min 20 s", "5 h 10 min" or "2 d 4 h". */
export function formatDuration(ms: number): string {
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR) return pair(ms, MINUTE, "min", SECOND, "s");
  if (ms < DAY) return pair(ms, HOUR, "h", MINUTE, "min");
  return pair(ms, DAY, "d", HOUR, "h");
}

function pair(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest > 0 ? ` ${rest} ${smallName}` : ""}`;
}

export interface TimeProps {
  /** The time in ISO 8601, or in Unix ms. */
  readonly at: string | number;
  /** Whether to show the date even if the reader prefers relative times. */
  readonly isAbsolute?: boolean | undefined;
}

/** A time, relative or as a date as the reader prefers (the key `t` switches); a tooltip has the exact time. */
export function Time({ at, isAbsolute = false }: TimeProps): JSX.Element {
  const time = new Date(at);
  const isRelative = timeForm.value === "relative" && !isAbsolute;
  const text = isRelative ? relativeTime(time.getTime(), Math.max(clock.value, 0)) : absoluteTime(time.getTime());
  return (
    <time class="time" dateTime={time.toISOString()} title={exactFormat.format(time)}>
      {text}
    </time>
  );
}
