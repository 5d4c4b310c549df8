import { CachedResponse, type HttpResponse, materialize, SharedPart, type WholeBody } from "./http-types.ts";
import { type BatchedSender, MAX_BATCHED, type ResponseBatcher } from "./response-batcher.ts";
import type { BodyEnd, ResponseHead, ResponseHeads } from "./response-head.ts";
import type { Transport } from "./transport.ts";
import { isLong, slicesOf } from "./turn-queue.ts";

/** The properties of a request and its connection that affect how its response is sent. */
export interface SendOptions {
  /** Whether the request is a HEAD request, whose response has no body. */
  readonly isHead: boolean;
  readonly isHttp10: boolean;
  /** Whether another request may follow on the connection. */
  readonly isKeptAlive: boolean;
}

/** The objects that all senders of a server share. */
export interface SenderContext {
  readonly heads: ResponseHeads;
  /** The buffer in which responses are assembled before they are sent. */
  readonly out: Buffer;
  readonly batcher: ResponseBatcher;
}

/** The receiver of a sender's events. */
export interface SenderEvents {
  /** The peer accepts no more bytes for now. */
  stalled(): void;
  /** The whole response has been handed to the operating system. */
  sent(): void;
  /** The rest of the response will not be sent, because its stream has failed. */
  aborted(): void;
  /** The response cannot be sent, because of a defect in the program. */
  failed(error: unknown): void;
}

/** The maximum length of a response's head in bytes. */
const MAX_HEAD = 16 * 1024;
/** The maximum number of UTF-8 bytes for one UTF-16 unit of a string. */
const MAX_UTF8 = 3;
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** Sends the responses of a connection one after the other, as fast as the peer accepts them. */
export class ResponseSender implements BatchedSender {
  readonly #transport: Transport;
  readonly #context: SenderContext;
  readonly #events: SenderEvents;
  #isClosed = false;
  /** Called with true when the peer accepts bytes again, and with false when the connection has closed. */
  #whenDrained: ((isOpen: boolean) => void) | undefined;
  /** The number of buffered bytes when the progress was last checked. */
  #bufferedBytes = 0;

  constructor(transport: Transport, context: SenderContext, events: SenderEvents) {
    this.#transport = transport;
    this.#context = context;
    this.#events = events;
  }

  /** Sends a response. If the response cannot be written, throws before any byte is sent. */
  send(given: HttpResponse, options: SendOptions): void {
    if (given instanceof CachedResponse && this.#sendCached(given, options)) return;
    const response = materialize(given);
    const { body } = response;
    if (body instanceof ReadableStream) this.#sendStream(response, body, options);
    else if (isLong(body)) this.#sendLong(response, body, options);
    else this.#sendWhole(response, body, options);
  }

  /** Whether the sender waits until the peer accepts more bytes. */
  get isWaiting(): boolean {
    return this.#whenDrained !== undefined;
  }

  /** Returns whether the peer has accepted any bytes since the last call, or since the sender began to wait. */
  hasMoved(): boolean {
    const before = this.#bufferedBytes;
    this.#bufferedBytes = this.#transport.bufferedBytes;
    return this.#bufferedBytes < before;
  }

  drained(): void {
    this.#endWait(true);
  }

  /** Must be called when the connection has closed. */
  close(): void {
    this.#isClosed = true;
    this.#endWait(false);
  }

  #endWait(isOpen: boolean): void {
    const callback = this.#whenDrained;
    this.#whenDrained = undefined;
    callback?.(isOpen);
  }

  /** Sends a response's cached bytes. Returns false if they are not valid for this request, or are too long. */
  #sendCached(response: CachedResponse, { isHead, isHttp10, isKeptAlive }: SendOptions): boolean {
    if (isHead || isHttp10 || !isKeptAlive) return false;
    const { heads } = this.#context;
    const length = heads.writeCached(response);
    if (length > 0) this.#sendAll(heads.bytes, 0, length);
    return length > 0;
  }

  #sendWhole(response: HttpResponse, body: WholeBody, options: SendOptions): void {
    const { out, heads } = this.#context;
    const isBodiless = response.status === 204 || response.status === 304;
    const room = MAX_HEAD + maxLengthOf(body);
    const bytes = room <= out.length ? out : Buffer.allocUnsafe(room);
    const end = writeBody(body, bytes, MAX_HEAD);
    const head = headOf(response, isBodiless ? "none" : end - MAX_HEAD, options);
    const start = heads.write(head, bytes, MAX_HEAD);
    this.#sendAll(bytes, start, options.isHead || isBodiless ? MAX_HEAD : end);
  }

  /** Sends a whole response. Short responses are batched. */
  #sendAll(bytes: Buffer, start: number, end: number): void {
    if (end - start > MAX_BATCHED) this.flush(bytes, start, end);
    else this.#context.batcher.send(this, bytes, start, end);
  }

  flush(bytes: Buffer, start: number, end: number): void {
    if (this.#isClosed) return;
    if (this.#transport.write(bytes, start, end)) this.#events.sent();
    else this.#wait((isOpen) => isOpen && this.#events.sent());
  }

  failed(error: unknown): void {
    this.#events.failed(error);
  }

  #sendLong(response: HttpResponse, body: Uint8Array<ArrayBuffer>, options: SendOptions): void {
    const head = headOf(response, body.length, options);
    if (this.#sendHead(head, options)) void this.#sendParts(slicesOf(body), false);
  }

  #sendStream(response: HttpResponse, body: ReadableStream<Uint8Array<ArrayBuffer>>, options: SendOptions): void {
    const isChunked = !options.isHttp10;
    const head = headOf(response, isChunked ? "chunked" : "none", options);
    if (this.#sendHead(head, options)) void this.#sendParts(body, isChunked);
    else void cancel(body);
  }

  /** Sends a head. Returns false if no body must follow, because the request is a HEAD request. */
  #sendHead(head: ResponseHead, { isHead }: SendOptions): boolean {
    const { heads, out } = this.#context;
    const start = heads.write(head, out, MAX_HEAD);
    if (isHead) this.flush(out, start, MAX_HEAD);
    // No wait is needed here: sending the body waits if necessary.
    else this.#transport.write(out, start, MAX_HEAD);
    return !isHead;
  }

  /** Sends a body part by part. If reading it fails, the connection ends, so that the client notices. */
  async #sendParts(parts: AsyncIterable<Uint8Array>, isChunked: boolean): Promise<void> {
    try {
      for await (const part of parts) {
        if (this.#isClosed) return;
        if (part.length > 0 && !(await this.#sendPart(part, isChunked))) return;
      }
      if (this.#isClosed) return;
      if (isChunked && !(await this.#sendBytes(LAST_CHUNK))) return;
    } catch {
      // The error is not reported here, because the creator of the stream knows it.
      this.#events.aborted();
      return;
    }
    this.#events.sent();
  }

  /** Sends a part of a body. Returns true when the part has been sent, and false if the connection has closed. */
  #sendPart(part: Uint8Array, isChunked: boolean): boolean | Promise<boolean> {
    return this.#sendBytes(isChunked ? chunkOf(part) : Buffer.from(part.buffer, part.byteOffset, part.length));
  }

  #sendBytes(bytes: Buffer): boolean | Promise<boolean> {
    if (this.#transport.write(bytes, 0, bytes.length)) return !this.#isClosed;
    return new Promise((resolve) => this.#wait(resolve));
  }

  /** Calls `callback` when everything written has been sent, or when the connection has closed. */
  #wait(callback: (isOpen: boolean) => void): void {
    this.#bufferedBytes = this.#transport.bufferedBytes;
    this.#whenDrained = callback;
    this.#events.stalled();
  }
}

function headOf(
  { status, headers, contentLocation, etag }: HttpResponse,
  bodyEnd: BodyEnd,
  { isKeptAlive, isHttp10 }: SendOptions,
): ResponseHead {
  return { status, fields: headers, contentLocation, etag, bodyEnd, isKeptAlive, isHttp10 };
}

/** Cancels a stream. Ignores errors of the cancellation: the creator of the stream knows them. */
export function cancel(body: ReadableStream<unknown>): Promise<void> {
  return body.cancel().catch(() => undefined);
}

function chunkOf(part: Uint8Array): Buffer {
  if (!(part instanceof SharedPart)) return framed(part);
  part.chunk ??= framed(part);
  return part.chunk;
}

function framed(part: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`, "latin1"), part, Buffer.from("\r\n", "latin1")]);
}

/** Returns the maximum length of a body in bytes. */
function maxLengthOf(body: WholeBody): number {
  if (body === null) return 0;
  if (typeof body === "string") return body.length * MAX_UTF8;
  return body instanceof Uint8Array ? body.length : body.maxLength;
}

/** Writes a body and returns the position after it. */
function writeBody(body: WholeBody, out: Buffer, at: number): number {
  if (body === null) return at;
  if (typeof body === "string") return at + out.write(body, at, "utf8");
  if (!(body instanceof Uint8Array)) return body.write(out, at);
  out.set(body, at);
  return at + body.length;
}
