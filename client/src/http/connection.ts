import type { Socket } from "node:net";
import { type HttpResponse, readResponse, UnreadableResponse } from "./response.ts";

/** The address of a service. */
export interface HttpAddress {
  readonly isEncrypted: boolean;
  readonly hostname: string;
  readonly port: number;
}

/** Gets the result of a request. */
export interface Exchange {
  resolve(response: HttpResponse): void;
  reject(error: Error): void;
}

/** Maximum size of a response in bytes: twice that of the largest page of a timeline, 1,000 records of 8 KiB. */
const MAX_RESPONSE = 16 * 1024 * 1024;

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
  #received: Buffer[] = [];
  #length = 0;
  /** Number of bytes of which it is known that fewer are not the whole response. */
  #needed = 0;
  #isClosed = false;
  #isUsed = false;

  /** `tlsSession` makes the TLS handshake cheaper. `onTlsSession` gets the session for later connections. */
  constructor(
    { isEncrypted, hostname: host, port }: HttpAddress,
    tlsSession: Buffer | undefined,
    onTlsSession: (session: Buffer) => void,
  ) {
    // The modules are not imported, because bundlers for platforms without them would fail.
    const { connect, isIP } = process.getBuiltinModule("node:net");
    if (isEncrypted) {
      // A name for TLS (SNI) must not be an IP address.
      const name = isIP(host) === 0 ? { servername: host } : {};
      const session = tlsSession === undefined ? {} : { session: tlsSession };
      const options = { host, port, ALPNProtocols: ["http/1.1"], ...name, ...session };
      this.#socket = process.getBuiltinModule("node:tls").connect(options).on("session", onTlsSession);
    } else this.#socket = connect({ host, port });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    this.#socket.on("error", (error) => this.destroy(error));
    this.#socket.on("close", () => this.destroy(new Error("the connection was closed")));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the connection has had a response. */
  get isUsed(): boolean {
    return this.#isUsed;
  }

  /** Whether a part of the present response has arrived. */
  get isResponding(): boolean {
    return this.#length > 0;
  }

  /** Sends a request: its head and body. The connection must be idle. If the connection fails, `exchange` is rejected. */
  send(request: string | Buffer, exchange: Exchange): void {
    this.#exchange = exchange;
    this.#socket.ref();
    this.#socket.write(request, "latin1");
  }

  /** Closes the connection. A request in progress is rejected with the error. */
  destroy(error: Error): void {
    this.#isClosed = true;
    this.#socket.destroy();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.reject(error);
  }

  #receive(bytes: Buffer): void {
    try {
      if (this.#exchange === undefined) throw new Error("a response arrived without a request");
      this.#received.push(bytes);
      this.#length += bytes.length;
      if (this.#length < this.#needed) return;
      const read = readResponse(this.#received.length === 1 ? bytes : Buffer.concat(this.#received));
      if (typeof read !== "number") this.#complete(read.response, read.end);
      else if (read > MAX_RESPONSE) throw new UnreadableResponse("the response is too large");
      else this.#needed = read;
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #complete(response: HttpResponse, end: number): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#isUsed = true;
    // Bytes after the response belong to no request.
    const isReusable = end === this.#length && response.headers.get("connection")?.toLowerCase() !== "close";
    this.#received = [];
    this.#length = this.#needed = 0;
    // An idle connection must not keep the program running.
    if (isReusable) this.#socket.unref();
    else this.destroy(new Error("the connection was closed"));
    exchange?.resolve(response);
  }
}
