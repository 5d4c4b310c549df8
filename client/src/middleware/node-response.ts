import type { ResponseHead } from "./session-headers.ts";

/** The members of Node's `ServerResponse` that this package uses. HTTP/1 and HTTP/2 both have them. */
export interface NodeResponse {
  readonly statusCode: number;
  readonly headersSent: boolean;
  once(event: "finish" | "close", listener: () => void): unknown;
}

/**
 * Calls `onEnd` when the response was sent, and again when its connection is closed; `onEnd` must ignore the second
 * call. `status` is `null` if the connection was closed before any response was sent.
 */
export function onNodeResponseEnd(
  response: NodeResponse,
  onEnd: (status: number | null, isAborted: boolean) => void,
): void {
  // HTTP/2 responses have no `writableFinished`, so the first of the two events shows whether all was sent.
  response.once("finish", () => onEnd(response.statusCode, false));
  response.once("close", () => onEnd(response.headersSent ? response.statusCode : null, true));
}

/** A `NodeResponse` to which a response can be written. */
export interface WritableNodeResponse extends NodeResponse {
  getHeader(name: string): unknown;
  getHeaderNames(): readonly string[];
  removeHeader(name: string): void;
  setHeader(name: string, value: string | readonly string[]): unknown;
  // Both methods have several signatures. Their arguments are passed on unchanged.
  writeHead: unknown;
  end: unknown;
}

type Method = (this: unknown, ...given: unknown[]) => unknown;

/**
 * Calls `complete` immediately before the head of the response is written, by whichever of Node's methods. So
 * `complete` gets all headers, including those passed to `writeHead`, and nothing can replace the headers that it adds.
 */
export function beforeHead(response: WritableNodeResponse, complete: (head: ResponseHead) => void): void {
  const writeHead = response.writeHead as Method;
  const end = response.end as Method;
  response.writeHead = function (this: unknown, ...given: unknown[]) {
    // A status below 200 is of an interim response or, as 101, of a change of protocol. These get no session headers.
    if (response.headersSent || Number(given[0]) < 200) return writeHead.apply(this, given);
    // Removes the argument `reason` if it is `undefined`, as Node itself does. Otherwise the package `on-headers`,
    // which compression and express-session use, would lose the headers.
    if (given.length > 2 && typeof given[1] !== "string") given.splice(1, 1);
    const at = headersIn(given);
    const headers = asEntries(given[at]);
    complete(headOf(response, Number(given[0]), headers));
    if (headers !== null) given[at] = asGiven(headers, given[at]);
    return writeHead.apply(this, given);
  };
  // HTTP/2 responses without a body do not call `writeHead`, so `end` is replaced too.
  if (!("stream" in response)) return;
  response.end = function (this: unknown, ...given: unknown[]) {
    if (!response.headersSent) complete(headOf(response, response.statusCode, null));
    return end.apply(this, given);
  };
}

/** Returns the index of the headers among the arguments of `writeHead(status, reason?, headers?)`; -1 if none. */
function headersIn(given: readonly unknown[]): number {
  return [2, 1].find((at) => typeof given[at] === "object" && given[at] !== null) ?? -1;
}

type Entry = [name: string, value: unknown];

/** Returns the headers passed to `writeHead` as entries; `null` if there are none or their form is unknown. */
function asEntries(headers: unknown): Entry[] | null {
  if (typeof headers !== "object" || headers === null) return null;
  if (!Array.isArray(headers)) return Symbol.iterator in headers ? null : Object.entries(headers);
  if (isPairs(headers)) return headers.map(([name, value]) => [String(name), value]);
  const entries: Entry[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    entries.push([String(headers[at]), headers[at + 1] as unknown]);
  }
  return entries;
}

/** Returns whether the list consists of pairs. Node's documentation has only a flat list: name, value, name, value. */
function isPairs(headers: unknown[]): headers is [unknown, unknown][] {
  return Array.isArray(headers[0]);
}

/** Returns the entries in the form that `given`, the headers passed to `writeHead`, has. */
function asGiven(entries: readonly Entry[], given: unknown): unknown {
  if (!Array.isArray(given)) return Object.fromEntries(entries);
  return isPairs(given) ? entries : entries.flat(1);
}

/** Returns the head for `complete`. As in Node, the headers in `given` replace earlier headers of the same name. */
function headOf(response: WritableNodeResponse, status: number, given: Entry[] | null): ResponseHead {
  const isNamed =
    (wanted: string) =>
    ([name]: Entry) =>
      name.toLowerCase() === wanted;
  return {
    status,
    names() {
      const own = (given ?? []).map(([name]) => name.toLowerCase());
      return [...new Set([...response.getHeaderNames(), ...own])];
    },
    values(name) {
      const own = (given ?? []).filter(isNamed(name)).flatMap(([, value]) => value);
      const values = own.length > 0 ? own : [response.getHeader(name)].flat();
      return values.filter((value) => value !== undefined && value !== null).map(String);
    },
    set(name, values) {
      const value = values.length === 1 ? (values[0] ?? "") : values;
      const others = (given ?? []).filter((entry) => !isNamed(name)(entry));
      if (values.length === 0) {
        response.removeHeader(name);
        given?.splice(0, given.length, ...others);
      } else if (given === null) response.setHeader(name, value);
      else given.splice(0, given.length, ...others, [name.toLowerCase(), value]);
    },
  };
}
