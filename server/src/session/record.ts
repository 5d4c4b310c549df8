import { faultOfText, isPlainText } from "./text.ts";

/** A method is a token (RFC 9110, section 9.1). */
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/;
/** Records that a request sends. */
export interface SentRecords {
  readonly records: readonly RequestRecord[];
  /** Whether a customer or a public page sends them, so that anybody may have chosen the names of their services. */
  readonly isFromVisitor: boolean;
}

/** The maximum length of a recorded path that a proxy reports, so that the record stays below its limit of 8 KiB. */
const MAX_FORWARDED_PATH = 2048;

/** A request that was made in a session. `null` stands for an unknown value. */
export interface RequestRecord {
  readonly method: string;
  /** The path. Of the query, it has only the parameters that the configuration allows. */
  readonly path: string;
  readonly status: number | null;
  /** Unix ms. */
  readonly startedAt: number;
  readonly durationMs: number | null;
  readonly service: string | null;
  /** A flat map. Callers choose the names, so any name may occur, even `__proto__`. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Returns whether `text` can be the method of a request. */
export function isMethod(text: string): boolean {
  return METHOD.test(text);
}

/** Returns whether `text` can be the path of a request: "*", or plain text that begins with "/". */
export function isPath(text: string): boolean {
  return (text.startsWith("/") || text === "*") && isPlainText(text);
}

/**
 * Returns the path as it is recorded: without fragment and query, because queries may contain personal data. Of the
 * query, only the parameters whose names are in `queryKeys` remain, and their order and spelling are unchanged.
 */
export function recordedPath(uri: string, queryKeys: ReadonlySet<string>): string {
  const end = uri.search(/[?#]/);
  if (end === -1) return uri;
  const path = uri.slice(0, end);
  if (queryKeys.size === 0 || uri[end] === "#") return path;
  const [query = ""] = uri.slice(end + 1).split("#", 1);
  const parameters = query.split("&").filter((parameter) => queryKeys.has(nameOf(parameter)));
  return parameters.length === 0 ? path : `${path}?${parameters.join("&")}`;
}

/** Returns a query parameter's name, decoded as in a form; not decoded if the encoding is invalid. */
function nameOf(parameter: string): string {
  const [name = ""] = parameter.split("=", 1);
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    return name;
  }
}

/**
 * Returns the record of a request that a proxy reports before it forwards the request. Never refuses: values that
 * cannot be recorded are cut or left out, so that no request fails because of its record.
 */
export function forwardedRecord(
  request: { readonly method: string; readonly uri: string; readonly service: string | null },
  startedAt: number,
  queryKeys: ReadonlySet<string>,
): RequestRecord {
  const { method, uri, service } = request;
  return {
    method: isMethod(method) ? method : "UNKNOWN",
    path: forwardedPath(recordedPath(uri.replace(ORIGIN, ""), queryKeys)),
    status: null,
    startedAt,
    durationMs: null,
    service: service === null || faultOfText(service, 256) !== undefined ? null : service,
    attributes: noAttributes,
  };
}

/** The scheme and host that a client may send before the path (RFC 9112, section 3.2.2). Caddy passes them on. */
const ORIGIN = /^[a-z][\w+.-]*:\/\/[^/?#]*/i;

/** Cuts the path to `MAX_FORWARDED_PATH` and percent-encodes control characters. Returns "/" if it is not a path. */
function forwardedPath(text: string): string {
  const path = cut(text);
  if (isPath(path)) return path;
  const encoded = cut(path.replaceAll(/\p{Cc}/gu, encodeURIComponent));
  return isPath(encoded) ? encoded : "/";
}

/** Cuts the text to `MAX_FORWARDED_PATH` characters. Does not leave half of a surrogate pair at the end. */
function cut(text: string): string {
  if (text.length <= MAX_FORWARDED_PATH) return text;
  return text.slice(0, MAX_FORWARDED_PATH).replace(/[\uD800-\uDBFF]$/, "");
}

const noAttributes: Readonly<Record<string, string>> = {};
