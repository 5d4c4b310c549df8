import { exchange, type RawResponse } from "../support/raw-http.ts";

export interface VisitOptions {
  readonly method?: string;
  /** Header lines, as they are sent. */
  readonly headers?: readonly string[];
  /** A character a byte. */
  readonly body?: string;
}

/** The host that visitors ask for. */
export const HOST = "shop.example";

/** The text of a visitor's request, byte for byte. */
export function visitText(path: string, options: VisitOptions = {}): string {
  const { method = "GET", headers = [], body } = options;
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`];
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${HOST}`, ...headers, ...length];
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

/** Makes one request on a connection of its own. */
export function visit(port: number, path: string, options?: VisitOptions): Promise<RawResponse> {
  return exchange(port, visitText(path, options));
}

/** The session cookie that an answer sets; `undefined` when it sets none. */
export function sessionCookie(response: RawResponse): string | undefined {
  const lines = (response.headers.get("set-cookie") ?? "").split("\n");
  return lines.find((line) => line.startsWith("sessionId="));
}
