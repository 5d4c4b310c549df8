import { isRetiredBy, isSessionId } from "../session-id.ts";
import type { SessionSource } from "./options.ts";

/** The parts of a request that the middleware reads. Every framework provides them. */
export interface IncomingRequest {
  readonly method: string;
  /** The target in the request line: a path with its query, or a complete URL. */
  readonly target: string;
  /** Whether the framework knows that the request came over TLS. */
  readonly isEncrypted: boolean;
  /** Returns the value of a header; the name is in lower case. */
  header(name: string): string | null | undefined;
}

/**
 * Maximum number of ids to try from each source: a request with a hundred cookies must not cause a hundred calls. It is
 * per source, so that many ids in one source do not exclude those in another.
 */
const MAX_CANDIDATES = 4;

/**
 * Returns the session ids in a request, in the order in which to try them: from the query parameter `sessionId`, from
 * the header `gkc-sessionId` or `gkc_sessionId`, and from the cookie. An id that was retired by another one among them
 * comes last: it still opens the anonymous session for a moment. Ignores values that cannot be session ids.
 */
export function sessionIdsOf(
  request: IncomingRequest,
  sources: ReadonlySet<SessionSource>,
  cookieName: string,
): readonly string[] {
  const found: string[] = [];
  if (sources.has("query")) found.push(...candidates(queryIds(request.target)));
  if (sources.has("header")) found.push(...candidates(headerIds(request)));
  if (sources.has("cookie")) found.push(...candidates(cookieValues(request.header("cookie"), cookieName)));
  const ids = [...new Set(found)];
  const isRetired = (id: string) => ids.some((other) => isRetiredBy(id, other));
  return [...ids.filter((id) => !isRetired(id)), ...ids.filter(isRetired)];
}

function candidates(ids: readonly string[]): readonly string[] {
  return ids.filter(isSessionId).slice(0, MAX_CANDIDATES);
}

function queryIds(target: string): readonly string[] {
  const start = target.indexOf("?");
  if (start === -1 || !target.includes("sessionId=", start)) return [];
  return new URLSearchParams(target.slice(start)).getAll("sessionId");
}

// If a header is repeated, servers join its values with commas.
function headerIds({ header }: IncomingRequest): readonly string[] {
  const values = [header("gkc-sessionid"), header("gkc_sessionid")];
  return values.flatMap((value) => (value ?? "").split(",")).map((id) => id.trim());
}

/**
 * Returns the values of all cookies with this name; they may differ in path or domain. Only a semicolon separates cookies
 * (RFC 6265, section 4.2.1): otherwise a text that a visitor has chosen for another cookie could stand for the session.
 */
export function cookieValues(header: string | null | undefined, name: string): readonly string[] {
  if (header === null || header === undefined || !header.includes(name)) return [];
  return header
    .split(";")
    .map(withoutWhiteSpace)
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1).replace(/^"(.*)"$/, "$1"));
}

/**
 * Removes spaces and tabs at both ends. `trim` would remove more, such as U+00A0: then the cookie of a sister domain could
 * pass for one with the prefix `__Host-`, which browsers accept only from the site itself.
 */
function withoutWhiteSpace(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isWhiteSpace(text[start])) start++;
  while (start < end && isWhiteSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

function isWhiteSpace(character: string | undefined): boolean {
  return character === " " || character === "\t";
}
