import { Agent, request } from "node:http";

/** A response, read to its end. */
export interface SoakResponse {
  readonly status: number;
  readonly text: string;
}

export interface SoakRequest {
  readonly headers?: Readonly<Record<string, string>>;
  /** The body, sent as JSON. */
  readonly json?: unknown;
}

/** A client with keep-alive connections. It never retries a request. */
export interface SoakClient extends Disposable {
  send(method: string, path: string, options?: SoakRequest): Promise<SoakResponse>;
}

/** The timeout of a request in milliseconds. */
const TIMEOUT_MS = 30_000;

/** Creates a client of the server at `url` with at most `connections` simultaneous connections. */
export function createSoakClient(url: string, connections: number): SoakClient {
  const agent = new Agent({ keepAlive: true, maxSockets: connections, timeout: TIMEOUT_MS });
  return {
    send: (method, path, { headers = {}, json } = {}) =>
      new Promise((resolve, reject) => {
        const body = json === undefined ? undefined : JSON.stringify(json);
        const type = body === undefined ? {} : { "content-type": "application/json" };
        const sent = request(
          url + path,
          { method, agent, headers: { ...type, ...headers }, timeout: TIMEOUT_MS },
          (response) => {
            let text = "";
            response.setEncoding("utf8").on("data", (part: string) => {
              text += part;
            });
            response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
            response.on("error", reject);
          },
        );
        sent.on("timeout", () => sent.destroy(new Error(`no response in ${TIMEOUT_MS} ms`)));
        sent.on("error", reject);
        sent.end(body);
      }),
    [Symbol.dispose]: () => agent.destroy(),
  };
}
