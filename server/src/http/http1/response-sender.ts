import { type ApiResponse, KeptResponse, madeOf, type WholeBody } from "../messages.ts";
import { isLong, piecesOf } from "../pieces.ts";
import { type Gathered, MAX_GATHERED, type Outbox } from "./outbox.ts";
import type { Framing, ResponseHead, ResponseHeads } from "./response-head.ts";
import type { Transport } from "./transport.ts";

/** What an answer is to be like, besides what it says. */
export interface Manner {
  /** To a HEAD request: without its body. */
  readonly isHead: boolean;
  /** To a client of HTTP/1.0. */
  readonly isOld: boolean;
  /** Another request may follow on the connection. */
  readonly isKeptAlive: boolean;
}

/** What the senders of a server have in common. */
export interface SenderContext {
  readonly heads: ResponseHeads;
  /** Where answers are put together before they are sent. */
  readonly out: Buffer;
  readonly outbox: Outbox;
}

/** Who hears how it went. */
export interface SenderEvents {
  /** The peer takes no more for now. */
  waits(): void;
  /** All of the answer has been handed to the system. */
  sent(): void;
  /** The rest of the answer will not come. */
  brokeOff(): void;
  /** Called if the response could not be sent for a reason that is not the client's fault. */
  failed(error: unknown): void;
}

/** Bytes that the head of an answer may have. */
const MAX_HEAD = 16 * 1024;
/** Bytes that a UTF-16 unit of a text takes at the most. */
const MAX_UTF8 = 3;
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** Sends the answers of a connection, one after the other, as fast as the peer takes them. */
export class ResponseSender implements Gathered {
  readonly #transport: Transport;
  readonly #context: SenderContext;
  readonly #events: SenderEvents;
  #isClosed = false;
  /** Called when there is room for more (true), or nobody to send it to (false). */
  #whenDrained: ((isOpen: boolean) => void) | undefined;
  /** How much had not gone out when that was looked at last. */
  #unsent = 0;

  constructor(transport: Transport, context: SenderContext, events: SenderEvents) {
    this.#transport = transport;
    this.#context = context;
    this.#events = events;
  }

  /** Sends an answer. Throws, before anything is sent, when it cannot be written. */
  send(answer: ApiResponse, manner: Manner): void {
    if (answer instanceof KeptResponse && this.#sendKept(answer, manner)) return;
    const response = madeOf(answer);
    const { body } = response;
    if (body instanceof ReadableStream) this.#sendStream(response, body, manner);
    else if (isLong(body)) this.#sendLong(response, body, manner);
    else this.#sendWhole(response, body, manner);
  }

  /** Whether the peer takes no more now. */
  get isWaiting(): boolean {
    return this.#whenDrained !== undefined;
  }

  /** Whether the peer has taken anything since this was asked last, or since it took no more. */
  hasMoved(): boolean {
    const before = this.#unsent;
    this.#unsent = this.#transport.unsent;
    return this.#unsent < before;
  }

  /** What was written has gone out. */
  drained(): void {
    this.#tell(true);
  }

  /** Nothing can be sent any more. */
  close(): void {
    this.#isClosed = true;
    this.#tell(false);
  }

  #tell(isOpen: boolean): void {
    const told = this.#whenDrained;
    this.#whenDrained = undefined;
    told?.(isOpen);
  }

  /** Sends an answer as it was sent before, where it fits as it is. */
  #sendKept(response: KeptResponse, { isHead, isOld, isKeptAlive }: Manner): boolean {
    if (isHead || isOld || !isKeptAlive) return false;
    const { heads } = this.#context;
    const length = heads.writeKept(response);
    if (length > 0) this.#write(heads.bytes, 0, length);
    return length > 0;
  }

  #sendWhole(response: ApiResponse, body: WholeBody, manner: Manner): void {
    const { out, heads } = this.#context;
    const isBodiless = response.status === 204 || response.status === 304;
    const room = MAX_HEAD + maxLengthOf(body);
    const bytes = room <= out.length ? out : Buffer.allocUnsafe(room);
    const end = writeBody(body, bytes, MAX_HEAD);
    const head = headOf(response, isBodiless ? "none" : end - MAX_HEAD, manner);
    const start = heads.write(head, bytes, MAX_HEAD);
    this.#write(bytes, start, manner.isHead || isBodiless ? MAX_HEAD : end);
  }

  /** Sends all there is of an answer. */
  #write(bytes: Buffer, start: number, end: number): void {
    if (end - start > MAX_GATHERED) this.flush(bytes, start, end);
    else this.#context.outbox.put(this, bytes, start, end);
  }

  flush(bytes: Buffer, start: number, end: number): void {
    if (this.#isClosed) return;
    if (this.#transport.write(bytes, start, end)) this.#events.sent();
    else this.#wait((isOpen) => isOpen && this.#events.sent());
  }

  failed(error: unknown): void {
    this.#events.failed(error);
  }

  #sendLong(response: ApiResponse, body: Uint8Array<ArrayBuffer>, manner: Manner): void {
    const head = headOf(response, body.length, manner);
    if (manner.isHead) this.#sendHeadAlone(head);
    else {
      this.#sendHead(head);
      void this.#sendParts(piecesOf(body), false);
    }
  }

  #sendStream(response: ApiResponse, body: ReadableStream<Uint8Array>, manner: Manner): void {
    const head = headOf(response, manner.isOld ? "none" : "chunks", manner);
    if (manner.isHead) {
      this.#sendHeadAlone(head);
      void cancel(body);
    } else {
      this.#sendHead(head);
      void this.#sendParts(body, !manner.isOld);
    }
  }

  /** Sends a head of which nothing follows. */
  #sendHeadAlone(head: ResponseHead): void {
    const { heads, out } = this.#context;
    this.flush(out, heads.write(head, out, MAX_HEAD), MAX_HEAD);
  }

  /** Sends a head; what follows it will wait where this would have to. */
  #sendHead(head: ResponseHead): void {
    const { heads, out } = this.#context;
    this.#transport.write(out, heads.write(head, out, MAX_HEAD), MAX_HEAD);
  }

  /** Sends a body part by part. An error of it ends the connection: else nobody would see that it is not whole. */
  async #sendParts(parts: AsyncIterable<Uint8Array>, isChunked: boolean): Promise<void> {
    try {
      for await (const part of parts) {
        if (this.#isClosed) return;
        if (part.length > 0 && !(await this.#sendPart(part, isChunked))) return;
      }
      if (this.#isClosed) return;
      if (isChunked && !(await this.#sendBytes(LAST_CHUNK))) return;
    } catch {
      // Whoever made the stream has heard of its error.
      this.#events.brokeOff();
      return;
    }
    this.#events.sent();
  }

  /** False when nobody is there any more. */
  #sendPart(part: Uint8Array, isChunked: boolean): boolean | Promise<boolean> {
    return this.#sendBytes(
      isChunked ? chunkOf(part) : Buffer.from(part.buffer, part.byteOffset, part.length),
    );
  }

  /** As `#sendPart`. */
  #sendBytes(bytes: Buffer): boolean | Promise<boolean> {
    if (this.#transport.write(bytes, 0, bytes.length)) return !this.#isClosed;
    return new Promise((resolve) => this.#wait(resolve));
  }

  /** Waits until what was written has gone out. */
  #wait(told: (isOpen: boolean) => void): void {
    this.#unsent = this.#transport.unsent;
    this.#whenDrained = told;
    this.#events.waits();
  }
}

function headOf(
  { status, headers, contentLocation }: ApiResponse,
  framing: Framing,
  { isKeptAlive, isOld }: Manner,
): ResponseHead {
  return { status, fields: headers, contentLocation, framing, isKeptAlive, isOld };
}

/** Lets go of a stream; whoever made it hears of it, and of what goes wrong with that. */
export function cancel(body: ReadableStream<unknown>): Promise<void> {
  return body.cancel().catch(() => undefined);
}

function chunkOf(part: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`${part.length.toString(16)}\r\n`, "latin1"),
    part,
    Buffer.from("\r\n", "latin1"),
  ]);
}

/** Bytes that a body takes at the most. */
function maxLengthOf(body: WholeBody): number {
  if (body === null) return 0;
  if (typeof body === "string") return body.length * MAX_UTF8;
  return body instanceof Uint8Array ? body.length : body.maxLength;
}

/** Writes a body, and gives where it ends. */
function writeBody(body: WholeBody, out: Buffer, at: number): number {
  if (body === null) return at;
  if (typeof body === "string") return at + out.write(body, at, "utf8");
  if (!(body instanceof Uint8Array)) return body.write(out, at);
  out.set(body, at);
  return at + body.length;
}
