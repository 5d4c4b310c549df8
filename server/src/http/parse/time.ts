/** The last moment of a JavaScript date, Unix ms. */
const MAX_TIME = 8.64e15;
/** ISO 8601 with date, time and zone. Without a zone, the time would be ambiguous. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** Returns whether a text is an ISO 8601 time with a zone. `Date.parse` would read 30 February as 2 March. */
function isIsoTime(text: string): boolean {
  if (!ISO_TIME.test(text)) return false;
  const day = Number(text.slice(8, 10));
  return day <= 28 || day <= new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate();
}

/** Returns a time in Unix ms from a number or an ISO 8601 text; `undefined` if the value is not a time. */
export function parseTime(value: unknown): number | undefined {
  const time = typeof value === "string" && isIsoTime(value) ? Date.parse(value) : value;
  return typeof time === "number" && time >= 0 && time <= MAX_TIME ? Math.trunc(time) : undefined;
}
