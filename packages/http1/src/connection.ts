/*
 * One connection: reads requests, has them handled, and sends the responses in the order of the requests.
 *
 *           first bytes              whole head               response sent
 *     idle ───────────────► head ───────────────► handling ───────────────► skipping
 *      ▲ └─────────── whole head at once ──────────► │ │                        │
 *      ├──────────── response sent, body read ───────┘ │                        │
 *      └───────────── rest of the body skipped ────────┼────────────────────────┘
 *                                                      │ last response sent
 *                                                      ▼
 *     any of them ──── timeout or peer's end ─────► lingering ────────► closed
 *
 * Each state has its timeout (`Timeouts`): idle, head and lingering their own, skipping that of the request. While
 * handling, the body has the rest of the request's time, the handler has no limit, and a peer that reads nothing of
 * a response has the time `stalled`. A refused head counts as a request whose response is the last. In `lingering`
 * our side is closed, and received bytes are dropped: closing with unread bytes would destroy the last response.
 *
 * The read loop takes requests from the received bytes while the state allows it. It is `stopped` until more bytes
 * or a response arrive, `running`, or `scheduled` for a later turn of the event loop so that other connections have
 * their turn; bytes that arrive then are only kept.
 */

import { INCOMPLETE } from "./header-section.ts";
import {
  BodyError,
  CachedResponse,
  type HttpRequest,
  type HttpResponse,
  type MayBuffer,
  type RejectedRequest,
} from "./http-types.ts";
import { MAX_BUFFERED, ReceiveBuffer } from "./receive-buffer.ts";
import { HeadedRequest, type RequestSource } from "./request.ts";
import { MALFORMED, RequestBody } from "./request-body.ts";
import { type HasLongHead, type HeadFault, REFUSED, RequestHead } from "./request-head.ts";
import {
  cancel,
  ResponseSender,
  type SenderContext,
  type SenderEvents,
} from "./response-sender.ts";
import type { Transport, TransportEvents } from "./transport.ts";
import { runInLaterTurn } from "./turn-queue.ts";

/** The maximum durations in seconds. */
export interface Timeouts {
  /** Without a request. */
  readonly idle: number;
  /** From the first byte of a request to the end of its head. */
  readonly head: number;
  /** From the end of the head to the end of the body. */
  readonly request: number;
  /** Without the peer reading any byte of a response. */
  readonly stalled: number;
  /** From our half-close to the peer's. */
  readonly lingering: number;
}

/** Members that all connections of a server share. */
export interface ConnectionContext extends SenderContext {
  handle(request: HttpRequest): HttpResponse | Promise<HttpResponse>;
  readonly timeouts: Timeouts;
  /** Seconds since the start. */
  readonly now: number;
  /** Called with an error that no client can cause. */
  onDefect(error: unknown): void;
  /** Makes the response to a rejected request. */
  reject(request: RejectedRequest): HttpResponse;
  readonly hasLongHead: HasLongHead;
  closed(connection: Connection): void;
}

/** How many pipelined requests of one connection are answered in one turn of the event loop. */
const REQUESTS_PER_TURN = 16;
/** The bytes of their heads. Longer ones wait in a queue, since their fields may take long to process. */
const HEAD_BYTES_PER_TURN = 8 * 1024;
/** The bytes of an unread body that are skipped; with more of them the connection is closed instead. */
const MAX_SKIPPED = 64 * 1024;
/** The bytes that are dropped while lingering, so that unread bytes do not destroy the last response. */
const MAX_LINGERED = 4 * 1024 * 1024;
/** The maximum size of a buffer that an idle connection keeps. */
const MAX_IDLE_BUFFER = 4 * 1024;

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const CR = 0x0d;
const LF = 0x0a;

type State = "idle" | "head" | "handling" | "skipping" | "lingering" | "closed";

export class Connection implements TransportEvents, RequestSource, SenderEvents {
  readonly #transport: Transport;
  readonly #context: ConnectionContext;
  readonly #buffer: ReceiveBuffer;
  readonly #head: RequestHead;
  readonly #body = new RequestBody();
  readonly #request: HeadedRequest;
  readonly #sender: ResponseSender;
  #state: State = "idle";
  #loop: "stopped" | "running" | "scheduled" = "stopped";
  /** Whether the peer has half-closed. */
  #hasPeerEnded = false;
  /** Whether the current response is the last. */
  #isLast = false;
  /** When the current timeout ends, in seconds of the context. */
  #deadline: number;
  #lingered = 0;

  constructor(transport: Transport, context: ConnectionContext) {
    this.#transport = transport;
    this.#context = context;
    this.#buffer = new ReceiveBuffer(transport);
    this.#head = new RequestHead(context.hasLongHead);
    this.#request = new HeadedRequest(this.#head, this);
    this.#sender = new ResponseSender(transport, context, this);
    this.#deadline = context.now + context.timeouts.idle;
  }

  /** Whether a request is being handled, or its response has not been sent completely. */
  get isBusy(): boolean {
    if (this.#state === "closed") return false;
    return this.#state === "handling" || this.#transport.bufferedBytes > 0;
  }

  get peer(): string {
    return this.#transport.peer;
  }

  get #isOpen(): boolean {
    return this.#state !== "lingering" && this.#state !== "closed";
  }

  readBody(limit: number, mayBuffer?: MayBuffer): Promise<Uint8Array | undefined> {
    const body = this.#body.read(limit, mayBuffer);
    if (!this.#body.isComplete && this.#loop !== "scheduled") this.#buffer.resume();
    return body;
  }

  received(bytes: Buffer): void {
    if (this.#state === "lingering") {
      this.#lingered += bytes.length;
      // Closing could destroy the response. Pausing only stops the client's sending, so it has time to read the
      // response.
      if (this.#lingered > MAX_LINGERED) this.#buffer.pause();
      return;
    }
    if (!this.#isOpen) return;
    const all = this.#buffer.with(bytes);
    const isWanted = this.#state !== "handling" || !this.#body.isComplete;
    if (isWanted && this.#loop !== "scheduled") this.#run(all);
    else this.#buffer.keep(all, 0);
  }

  drained(): void {
    this.#sender.drained();
  }

  ended(): void {
    this.#hasPeerEnded = true;
    this.#closeIfOver();
  }

  closed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#body.fail(new BodyError("gone"));
    this.#sender.close();
    this.#buffer.take();
    this.#context.closed(this);
  }

  /** Enforces the timeouts. Must be called once a second. */
  check(): void {
    const { now, timeouts } = this.#context;
    if (this.#state === "lingering" && this.#transport.bufferedBytes === 0) this.#limitLingering();
    if (now < this.#deadline) return;
    if (!this.#isOpen) this.destroy();
    else if (this.#sender.isWaiting) {
      // A long response may take long, but must not stand still.
      if (!this.#sender.hasMoved()) this.destroy();
      this.#deadline = now + timeouts.stalled;
    } else if (this.#state === "handling") {
      if (this.#body.isComplete) return;
      this.#isLast = true;
      this.#body.fail(new BodyError("late"));
    } else if (this.#state === "head") {
      this.#head.giveUp(this.#buffer.take());
      this.#refuse({ status: 408, detail: "The head of the request did not arrive in time." });
    } else this.#close();
  }

  /** Closes the connection at once. */
  destroy(): void {
    this.#transport.destroy();
    this.closed();
  }

  /** Runs the read loop with the kept bytes, if there is something to do. */
  #resume(): void {
    if (!this.#isOpen || this.#loop !== "stopped") return;
    const buffer = this.#buffer;
    if (buffer.isEmpty && !buffer.isPaused && !this.#hasPeerEnded) return;
    buffer.resume();
    this.#run(buffer.take());
  }

  #run(bytes: Buffer): void {
    this.#loop = "running";
    this.#buffer.take();
    try {
      this.#readRequests(bytes);
    } catch (error) {
      this.failed(error);
    }
    if (this.#loop === "running") this.#loop = "stopped";
    this.#buffer.trim();
    this.#closeIfOver();
  }

  /** Reads requests and bodies from `bytes`, as many as can be handled now, and keeps the rest. */
  #readRequests(bytes: Buffer): void {
    let at = 0;
    let headBytes = 0;
    for (let count = 0; this.#isOpen; count++) {
      if (!this.#body.isComplete) {
        at = this.#feedBody(bytes, at);
        if (!this.#body.isComplete) {
          if (this.#body.isTired && at !== MALFORMED) this.#scheduleBody(bytes, at);
          return;
        }
      }
      at = afterBlankLines(bytes, at);
      if (at === bytes.length) return;
      if (this.#state === "handling" || count === REQUESTS_PER_TURN) {
        this.#buffer.keep(bytes, at);
        if (this.#state !== "handling") this.#scheduleRequests();
        return;
      }
      const next = this.#head.parse(bytes, at);
      if (next === REFUSED) this.#refuse(this.#head.fault);
      else if (next === INCOMPLETE) this.#awaitHead(bytes, at);
      if (next <= INCOMPLETE) return;
      headBytes += next - at;
      at = next;
      if (headBytes > HEAD_BYTES_PER_TURN) {
        this.#buffer.keep(bytes, at);
        this.#scheduleHandling();
        return;
      }
      this.#handle();
    }
  }

  /** Reads the part of the body that has arrived, and returns the position after it, or `MALFORMED`. */
  #feedBody(bytes: Buffer, start: number): number {
    const body = this.#body;
    const at = body.feed(bytes, start);
    const isHandling = this.#state === "handling";
    if (at === MALFORMED) {
      // The beginning of the next request is unknown.
      this.#isLast = true;
      if (!isHandling) this.#close();
    } else if (body.isComplete) {
      if (isHandling) this.#deadline = Number.POSITIVE_INFINITY;
      else this.#becomeIdle();
    } else if (isHandling) {
      if (!body.isAwaited && body.received > MAX_BUFFERED) this.#buffer.pause();
    } else if (body.received > MAX_SKIPPED) this.#close();
    return at;
  }

  #becomeIdle(): void {
    this.#state = "idle";
    this.#deadline = this.#context.now + this.#context.timeouts.idle;
  }

  /** Keeps the beginning of a head. */
  #awaitHead(bytes: Buffer, start: number): void {
    if (this.#state !== "head") this.#deadline = this.#context.now + this.#context.timeouts.head;
    this.#state = "head";
    this.#buffer.keep(bytes, start);
  }

  /** Closes if the peer has half-closed and expects no more responses. */
  #closeIfOver(): void {
    if (!this.#hasPeerEnded || !this.#isOpen || this.#loop !== "stopped") return;
    if (!this.#body.isComplete) {
      this.#isLast = true;
      this.#body.fail(new BodyError("gone"));
    }
    if (this.#state !== "handling") this.#close();
  }

  #scheduleRequests(): void {
    this.#loop = "scheduled";
    setImmediate(() => this.#runScheduled());
  }

  /** Continues a body in a later turn; meanwhile nothing is received. */
  #scheduleBody(bytes: Buffer, start: number): void {
    this.#buffer.keep(bytes, start);
    this.#buffer.pause();
    this.#loop = "scheduled";
    runInLaterTurn(() => {
      this.#body.beginTurn();
      this.#runScheduled();
    });
  }

  #runScheduled(): void {
    this.#loop = "stopped";
    this.#resume();
  }

  /** Handles the request whose head was read in a later turn; kept bytes may belong to its body. */
  #scheduleHandling(): void {
    this.#state = "handling";
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#loop = "scheduled";
    runInLaterTurn(() => {
      this.#loop = "stopped";
      if (!this.#isOpen) return;
      try {
        this.#handle();
      } catch (error) {
        this.failed(error);
      }
      this.#resume();
    });
  }

  #handle(): void {
    const { now, timeouts } = this.#context;
    this.#state = "handling";
    this.#isLast = !this.#head.isKeptAlive;
    this.#body.begin(this.#head);
    // Sent even without a body or before a refusal, since some clients wait for it in any case.
    if (this.#head.expectsContinue) this.#transport.write(CONTINUE, 0, CONTINUE.length);
    this.#deadline = this.#body.isComplete ? Number.POSITIVE_INFINITY : now + timeouts.request;
    const response = this.#context.handle(this.#request);
    if (!(response instanceof Promise)) this.#respond(response);
    else {
      response.then(
        (value) => this.#respond(value),
        (error: unknown) => this.failed(error),
      );
    }
  }

  #respond(response: HttpResponse): void {
    if (!this.#isOpen) {
      const body = response instanceof CachedResponse ? null : response.body;
      if (body instanceof ReadableStream) void cancel(body);
      return;
    }
    const isHead = this.#head.method === "HEAD";
    const isHttp10 = this.#head.minorVersion === 0;
    const canSkipBody = this.#body.isComplete || this.#head.contentLength <= MAX_SKIPPED;
    if (!canSkipBody || endsConnection(response, isHttp10)) this.#isLast = true;
    this.#deadline = Number.POSITIVE_INFINITY;
    try {
      this.#sender.send(response, { isHead, isHttp10, isKeptAlive: !this.#isLast });
    } catch (error) {
      this.failed(error);
    }
  }

  stalled(): void {
    this.#deadline = this.#context.now + this.#context.timeouts.stalled;
  }

  aborted(): void {
    this.destroy();
  }

  failed(error: unknown): void {
    this.#context.onDefect(error);
    this.destroy();
  }

  sent(): void {
    if (!this.#isOpen) return;
    if (this.#head.size > MAX_IDLE_BUFFER) this.#head.clear();
    if (!this.#body.isComplete || this.#body.received > 0) this.#body.skip();
    if (this.#isLast) {
      this.#close();
      return;
    }
    if (this.#body.isComplete) this.#becomeIdle();
    else {
      this.#state = "skipping";
      this.#deadline = this.#context.now + this.#context.timeouts.request;
    }
    this.#resume();
  }

  /** Refuses a request that cannot be read, and everything after it. */
  #refuse({ status, detail }: HeadFault): void {
    this.#state = "handling";
    this.#isLast = true;
    this.#buffer.take();
    const { method, target } = this.#head;
    this.#respond(this.#context.reject({ status, detail, method, target, peer: this.peer }));
  }

  /** Closes our side, and drops what still arrives. */
  #close(): void {
    this.#buffer.take();
    this.#head.clear();
    this.#state = "lingering";
    this.#deadline = this.#context.now + this.#context.timeouts.stalled;
    if (this.#transport.bufferedBytes === 0) this.#limitLingering();
    this.#buffer.resume();
    this.#transport.end();
  }

  /** Sets the deadline for the peer's end, once the last response has been sent. */
  #limitLingering(): void {
    const { now, timeouts } = this.#context;
    this.#deadline = Math.min(this.#deadline, now + timeouts.lingering);
  }
}

/** Whether the connection ends with this response: a header says so, or only that end marks the end of the body. */
function endsConnection(response: HttpResponse, isHttp10: boolean): boolean {
  if (response instanceof CachedResponse) return false;
  return (
    response.headers["connection"] === "close" ||
    (isHttp10 && response.body instanceof ReadableStream)
  );
}

/** Skips the blank line that some clients send after a body (RFC 9112, section 2.2). */
function afterBlankLines(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at;
}
