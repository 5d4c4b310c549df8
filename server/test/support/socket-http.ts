import { request } from "node:http";

/** An answer that came over a Unix socket. */
export interface SocketAnswer {
  readonly status: number;
  readonly body: string;
}

/** Asks over a Unix socket, as a proxy on the same machine does. */
export function askSocket(
  socketPath: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<SocketAnswer> {
  return new Promise((resolve, reject) => {
    const options = { socketPath, method, path, agent: false };
    const sent = request({ ...options, headers: { host: "localhost", ...headers } }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}
