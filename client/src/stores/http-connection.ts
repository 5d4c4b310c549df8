import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type HttpResponse, readResponse } from "./http-response.ts";

/** The address of a service. */
export interface HttpAddress {
  readonly isEncrypted: boolean;
  readonly hostname: string;
  readonly port: number;
}

interface Exchange {
  resolve(response: HttpResponse): void;
  reject(error: Error): void;
}

/** Maximum size of a response in bytes: many times that of a session with data. */
const MAX_RESPONSE = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * A connection that sends one HTTP/1.1 request after the other. Node's own client takes some 50 µs of CPU time more for
 * each, which would be the largest part of what a session costs.
 *
 *     idle --- send ---> busy --- the response is complete ---> idle
 *      |                  |
 *      +------------------+--- the connection fails or ends, or `destroy` ---> closed
 */
export class HttpConnection {
  readonly #socket: Socket;
  #exchange: Exchange | undefined;
  #received: Buffer = NOTHING;
  #isClosed = false;

  constructor({ isEncrypted, hostname: host, port }: HttpAddress) {
    // A name for TLS (SNI) must not be an IP address.
    const tls = { host, port, ALPNProtocols: ["http/1.1"], ...(isIP(host) === 0 ? { servername: host } : {}) };
    this.#socket = isEncrypted ? connectTls(tls) : connect({ host, port });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    this.#socket.on("error", (error) => this.destroy(error));
    this.#socket.on("close", () => this.destroy(new Error("the connection was closed")));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends a request: its head and body. The connection must be idle. Rejects with an `Error` if the connection fails. */
  send(request: string): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      this.#exchange = { resolve, reject };
      this.#socket.ref();
      this.#socket.write(request);
    });
  }

  /** Closes the connection. A request in progress rejects with the error. */
  destroy(error: Error): void {
    this.#isClosed = true;
    this.#socket.destroy();
    this.#exchange?.reject(error);
    this.#exchange = undefined;
  }

  #receive(bytes: Buffer): void {
    try {
      this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
      if (this.#exchange === undefined) throw new Error("a response arrived without a request");
      const read = readResponse(this.#received);
      if (read !== undefined) this.#complete(read.response, read.end);
      else if (this.#received.length > MAX_RESPONSE) throw new Error("the response is too large");
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #complete(response: HttpResponse, end: number): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    // Bytes after the response belong to no request.
    const isReusable = end === this.#received.length && response.header("connection")?.toLowerCase() !== "close";
    this.#received = NOTHING;
    // An idle connection must not keep the program running.
    if (isReusable) this.#socket.unref();
    else this.destroy(new Error("the connection was closed"));
    exchange?.resolve(response);
  }
}
