/** The last moment of a JavaScript date, Unix ms. */
const MAX_TIME = 8.64e15;
/** ISO 8601 with date, time and zone. Without a zone, the time would be ambiguous. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** Returns a time in Unix ms from a number or an ISO 8601 text; `undefined` if the value is not a time. */
export function parseTime(value: unknown): number | undefined {
  const time = typeof value === "string" && ISO_TIME.test(value) ? Date.parse(value) : value;
  return typeof time === "number" && time >= 0 && time <= MAX_TIME ? Math.trunc(time) : undefined;
}
