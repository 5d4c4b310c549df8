import type { SessionSource } from "./options.ts";

/** A request as every framework can tell it. */
export interface IncomingRequest {
  readonly method: string;
  /** The target of the request line: a path with its query, or a whole URL. */
  readonly target: string;
  /** Whether it came over TLS, as far as the framework knows. */
  readonly isEncrypted: boolean;
  /** The value of a header by its name in lower case. */
  header(name: string): string | null | undefined;
}

/** The form of a session id (contract.md#session-ids); Antechamber is asked about nothing else. */
const SESSION_ID = /^[A-Za-z0-9_-]{40}$/;
/**
 * The limit for each source, so that a request with a hundred cookies does not cause a hundred look-ups, and
 * so that ids in one source never prevent those of another from being tried.
 */
const MAX_CANDIDATES = 4;

/**
 * The ids that the request may mean, the one to try first at the head: of the query `sessionId`, the
 * header `gkc-sessionId` in either spelling, the cookie. Values that cannot be ids are skipped
 * and not counted.
 */
export function sessionIdsOf(
  request: IncomingRequest,
  sources: ReadonlySet<SessionSource>,
  cookieName: string,
): readonly string[] {
  const found: string[] = [];
  if (sources.has("query")) found.push(...candidates(queryIds(request.target)));
  if (sources.has("header")) found.push(...candidates(headerIds(request)));
  if (sources.has("cookie"))
    found.push(...candidates(cookieValues(request.header("cookie"), cookieName)));
  return [...new Set(found)];
}

function candidates(ids: readonly string[]): readonly string[] {
  return ids.filter((id) => SESSION_ID.test(id)).slice(0, MAX_CANDIDATES);
}

function queryIds(target: string): readonly string[] {
  const start = target.indexOf("?");
  if (start === -1 || !target.includes("sessionId=", start)) return [];
  return new URLSearchParams(target.slice(start)).getAll("sessionId");
}

/** Servers join the values of a repeated header with commas. */
function headerIds({ header }: IncomingRequest): readonly string[] {
  const values = [header("gkc-sessionid"), header("gkc_sessionid")];
  return values.flatMap((value) => (value ?? "").split(",")).map((id) => id.trim());
}

/**
 * Several cookies may have one name, with different paths and domains. Fetch-style servers join
 * several `Cookie` headers with commas, others with semicolons.
 */
function cookieValues(header: string | null | undefined, name: string): readonly string[] {
  if (header === null || header === undefined || !header.includes(name)) return [];
  return header
    .split(/[;,]/)
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1).replace(/^"(.*)"$/, "$1"));
}
