/** Earliest creation time that an id can have, in Unix ms: the year 2020. */
const EARLIEST = Date.UTC(2020, 0);
/** How far the clocks of the server and of the browser may differ, in milliseconds. */
const CLOCK_DIFFERENCE = 24 * 60 * 60_000;

/** Returns the time of creation that a handle or a session id has in it, in Unix ms; `undefined` for any other text. */
function createdAtOf(text: string): number | undefined {
  if (!/^[\w-]{24}(?:[\w-]{16})?$/.test(text)) return undefined;
  const bytes = atob(text.slice(0, 8).replaceAll("-", "+").replaceAll("_", "/"));
  let time = 0;
  for (const byte of bytes) time = time * 256 + byte.charCodeAt(0);
  return time >= EARLIEST && time <= Date.now() + CLOCK_DIFFERENCE ? time : undefined;
}

/**
 * Returns the handle in a text that somebody has pasted: a handle, a session id, or a longer text with either in it, such
 * as a cookie or an address. `undefined` if there is none. The rest of a session id, which opens the session, is dropped
 * here and goes nowhere: not into the address, the history or a request.
 */
export function handleIn(text: string): string | undefined {
  const name = text.match(/[\w-]+/g)?.find((word) => createdAtOf(word) !== undefined);
  return name?.slice(0, 24);
}
