/** The methods of requests are tokens (RFC 9110, section 9.1); so long are none. */
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/;
const CONTROL_CHARACTER = /\p{Cc}/u;
/** What is recorded of a path that a proxy reports, characters: a record may have 8 KiB in all. */
const MAX_FORWARDED_PATH = 2048;

/** A request that was made in a session. What is not known is `null`. */
export interface RequestRecord {
  readonly method: string;
  /** Without query, but for the keys that the configuration allows. */
  readonly path: string;
  readonly status: number | null;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly durationMs: number | null;
  readonly service: string | null;
  /** A flat map; its keys are data, `__proto__` too. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Whether `text` can be the method of a request. */
export function isMethod(text: string): boolean {
  return METHOD.test(text);
}

/** Whether `text` can be the path of a request: what a request line has, so no control characters. */
export function isPath(text: string): boolean {
  return (text.startsWith("/") || text === "*") && isPlainText(text);
}

/** Most texts are no more than this, which is told faster than what may be in the others. */
const ASCII = /^[\x20-\x7e]*$/;

/** Whether `text` has no control characters and no halves of characters. */
export function isPlainText(text: string): boolean {
  if (ASCII.test(text)) return true;
  return !CONTROL_CHARACTER.test(text) && text.isWellFormed();
}

/**
 * A path as it is recorded: queries carry personal data, so of them only the parameters whose names
 * are in `keptKeys` stay, in their order and spelling. A fragment is not part of a request.
 */
export function recordedPath(uri: string, keptKeys: ReadonlySet<string>): string {
  const end = uri.search(/[?#]/);
  if (end === -1) return uri;
  const path = uri.slice(0, end);
  if (keptKeys.size === 0 || uri[end] === "#") return path;
  const [query = ""] = uri.slice(end + 1).split("#", 1);
  const kept = query.split("&").filter((parameter) => keptKeys.has(nameOf(parameter)));
  return kept.length === 0 ? path : `${path}?${kept.join("&")}`;
}

/** The name of a query parameter, decoded like a form's; one that is no proper encoding as it is. */
function nameOf(parameter: string): string {
  const [name = ""] = parameter.split("=", 1);
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    return name;
  }
}

/**
 * The record of a request that a proxy reports while it is under way. Never refuses: what cannot be
 * recorded as it is, is cut or left out, so that no request fails for being recorded.
 */
export function forwardedRecord(
  request: { readonly method: string; readonly uri: string; readonly service: string | null },
  startedAt: number,
  keptKeys: ReadonlySet<string>,
): RequestRecord {
  const { method, uri, service } = request;
  return {
    method: isMethod(method) ? method : "UNKNOWN",
    path: forwardedPath(recordedPath(uri.replace(ORIGIN, ""), keptKeys)),
    status: null,
    startedAt,
    durationMs: null,
    service: service === null || service.length > 256 || !isPlainText(service) ? null : service,
    attributes: noAttributes,
  };
}

/** The scheme and host that clients may put before a path (RFC 9112, section 3.2.2); Caddy reports them unchanged. */
const ORIGIN = /^[a-z][\w+.-]*:\/\/[^/?#]*/i;

/** Returns the path, at most `MAX_FORWARDED_PATH` long, control characters percent-encoded; "/" if it is no path. */
function forwardedPath(text: string): string {
  const path = cut(text);
  if (isPath(path)) return path;
  const encoded = cut(path.replaceAll(/\p{Cc}/gu, encodeURIComponent));
  return isPath(encoded) ? encoded : "/";
}

/** Returns the start of the text, without half of a surrogate pair at its end. */
function cut(text: string): string {
  if (text.length <= MAX_FORWARDED_PATH) return text;
  return text.slice(0, MAX_FORWARDED_PATH).replace(/[\uD800-\uDBFF]$/, "");
}

const noAttributes: Readonly<Record<string, string>> = {};
