import { isDeepStrictEqual } from "node:util";
import type { Reading } from "./reading.ts";

/*
 * The intended differences from Node's parser. `withoutKnownDifferences` avoids four more: only this server accepts
 * any method, UTF-8 in targets, and white space around chunk extensions (RFC 9112, section 7.1.1, lets recipients
 * accept it), and it treats CONNECT like other methods, while Node stops reading HTTP.
 */

const tooLong = "limits: 16 KiB for a head, 128 fields; Node counts less and drops further fields";

/** Requests that only this server rejects, by its reason. */
const stricter: Readonly<Record<string, string>> = {
  "This is not a request line of HTTP/1.1.": "several spaces before the target",
  "Only HTTP/1.1 and HTTP/1.0 are supported.": "Node accepts HTTP/2.0",
  "The target does not fit this method: send a path, an http URI with a host, * with OPTIONS, or host:port with CONNECT.":
    "targets of no valid form, or with user information",
  "The head is too long: a head may have 16 KiB.": tooLong,
  "The target is too long: a head may have 16 KiB.": tooLong,
  "The head has too many fields: it may have 128.": tooLong,
  "Host is missing.": "Node also rejects this with its option requireHostHeader, which is off here",
  "Host is there more than once.": "Node uses the first host",
  "Host is not a valid host.": "Node accepts any text",
  "HTTP/1.0 has no Transfer-Encoding.": "Node reports the request before it rejects it",
  "The Transfer-Encoding does not say where the body ends.": "as before",
  "The only supported Transfer-Encoding is chunked.": "Node leaves other codings to the application",
  "The only supported expectation is 100-continue.": "Node reports the request before it rejects it",
  "BodyError: the rest of the body does not arrive: malformed":
    "trailers that a proxy could merge into the head, such as Cookie; 16 KiB of extensions and trailers",
};

/** Requests that only Node rejects: for each reason, a pattern of the input for which this is intended. */
const moreLenient: Readonly<Record<string, RegExp>> = {
  // Methods that Node does not know, which applications may use.
  HPE_INVALID_METHOD: /HTTP/,
  // White space around chunk extensions.
  HPE_INVALID_CHUNK_SIZE: /[ \t][;=]|[;=][ \t]/,
  HPE_STRICT: /[ \t][;=]|[;=][ \t]/,
};

/** Changes the parts of a stream that only this server accepts. */
export function withoutKnownDifferences(stream: string): string {
  return stream
    .replaceAll("BREW ", "POST ")
    .replaceAll("CONNECT ", "TRACE ")
    .replaceAll("\xc3\xbc", "u")
    .replaceAll(" ; a = b", ";a=b");
}

/**
 * Returns why the readings of a stream differ, or "" if they do not; `undefined` if the difference is not intended.
 */
export function differenceOf(stream: string, own: Reading, node: Reading): string | undefined {
  const { length } = own.requests;
  let same = 0;
  while (same < length && isDeepStrictEqual(own.requests[same], node.requests[same])) same++;
  const other = node.requests[same];
  if (other === undefined && same === length) return "";
  const isCutOffByNode = other === undefined || other.body === null;
  if (same < length && isCutOffByNode && moreLenient[node.rejection ?? ""]?.test(stream)) {
    return node.rejection;
  }
  if (other === undefined) return undefined;
  if (own.rejection !== undefined) return stricter[own.rejection];
  // A last request that asks for the connection to be closed.
  const options = own.requests.at(-1)?.fields["connection"] ?? "";
  const isClosed = same === length && /(?:^|[\s,])close(?:$|[\s,])/i.test(options);
  return isClosed ? "close counts beside keep-alive, or in an invalid list" : undefined;
}
