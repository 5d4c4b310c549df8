import type { ApiRequest } from "./messages.ts";

/** How many different ids of a request are looked up: more are nobody's mistake. */
const MAX_IDS = 4;

/**
 * The session ids that a browser's request carries, in the order in which they are tried: the query
 * parameter `sessionId` of `uri`, the header in both spellings, the cookie `sessionId`. Each once.
 */
export function sessionIdsOf(request: ApiRequest, uri: string): readonly string[] {
  const ids: string[] = [];
  const add = (id: string | null | undefined) => {
    if (id == null || id === "" || ids.includes(id) || ids.length === MAX_IDS) return;
    ids.push(id);
  };
  for (const id of queryValues(uri)) add(id);
  add(request.header("gkc-sessionid"));
  add(request.header("gkc_sessionid"));
  for (const id of cookieValues(request.header("cookie"))) add(id);
  return ids;
}

function queryValues(uri: string): readonly string[] {
  const start = uri.indexOf("?");
  if (start === -1 || !uri.includes("sessionId", start)) return none;
  return new URLSearchParams(uri.slice(start + 1)).getAll("sessionId");
}

const COOKIE = "sessionId=";

/** Cookies of one name may be several: of different paths, or set by somebody else. */
function cookieValues(header: string | null): readonly string[] {
  if (header === null) return none;
  const values: string[] = [];
  for (let at = header.indexOf(COOKIE); at !== -1; at = header.indexOf(COOKIE, at + 1)) {
    // The end of another cookie's name is no cookie of ours.
    if (at > 0 && !"; \t".includes(header[at - 1] as string)) continue;
    const start = at + COOKIE.length;
    const end = header.indexOf(";", start);
    const value = header.slice(start, end === -1 ? undefined : end).trim();
    values.push(value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value);
  }
  return values;
}

const none: readonly string[] = [];
