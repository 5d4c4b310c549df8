import { exchange, type RawResponse } from "../support/raw-http.ts";

export interface VisitOptions {
  readonly method?: string;
  /** Header lines, sent unchanged. */
  readonly headers?: readonly string[];
  /** One character per byte. */
  readonly body?: string;
}

/** The Host of visitors' requests. */
export const HOST = "shop.example";

/** Returns the text of a visitor's request, byte for byte. */
export function visitText(path: string, options: VisitOptions = {}): string {
  const { method = "GET", headers = [], body } = options;
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`];
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${HOST}`, ...headers, ...length];
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

/** Sends one request on a connection of its own. */
export function visit(port: number, path: string, options?: VisitOptions): Promise<RawResponse> {
  return exchange(port, visitText(path, options));
}

/** Returns the session cookie that a response sets; `undefined` if it sets none. */
export function sessionCookie(response: RawResponse): string | undefined {
  const lines = (response.headers.get("set-cookie") ?? "").split("\n");
  return lines.find((line) => line.startsWith("sessionId="));
}
