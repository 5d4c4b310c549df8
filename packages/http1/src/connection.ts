/*
 * One connection: reads requests, passes each one to the handler, and sends the responses in the order of the requests.
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
 * Each state has a timeout (`Timeouts`). The states `idle`, `head` and `lingering` have the timeout of the same name,
 * and `skipping` has the timeout `request`. In `handling`, the body must arrive within the timeout `request`, and the
 * peer must read some of the response within the timeout `stalled`; the handler itself has no time limit. A refused
 * head is treated as a request whose response is the last one of the connection. In `lingering`, the server has closed
 * its side and drops received bytes: if it closed the socket while bytes are unread, the peer might lose the last
 * response.
 *
 * The read loop takes requests from the received bytes while the state allows it. The loop is `stopped` until more
 * bytes arrive or a response has been sent; or it is `running`; or it is `scheduled` for a later turn of the event
 * loop, so that other connections are served meanwhile. While the loop is scheduled, arriving bytes are only buffered.
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
import { cancel, ResponseSender, type SenderContext, type SenderEvents } from "./response-sender.ts";
import type { Transport, TransportEvents } from "./transport.ts";
import { runInLaterTurn } from "./turn-queue.ts";

/** The maximum durations in seconds. */
export interface Timeouts {
  /** How long a connection may stay open without a request. */
  readonly idle: number;
  /** From the first byte of a request to the end of its head. */
  readonly head: number;
  /** From the end of the head to the end of the body. */
  readonly request: number;
  /** How long the peer may read nothing of a response. */
  readonly stalled: number;
  /** From the half-close by the server to the half-close by the peer. */
  readonly lingering: number;
}

/** The values and callbacks that all connections of a server share. */
export interface ConnectionContext extends SenderContext {
  handle(request: HttpRequest): HttpResponse | Promise<HttpResponse>;
  readonly timeouts: Timeouts;
  /** Seconds since the server was created. */
  readonly now: number;
  /** Called with a defect, which is an error that no client can cause. */
  onDefect(error: unknown): void;
  /** Makes the response to a rejected request. */
  reject(request: RejectedRequest): HttpResponse;
  readonly hasLongHead: HasLongHead;
  closed(connection: Connection): void;
}

/** How many pipelined requests of one connection are answered in one turn of the event loop. */
const REQUESTS_PER_TURN = 16;
/** After this many bytes of heads in one turn, the next request waits for a later turn: reading heads takes time. */
const HEAD_BYTES_PER_TURN = 8 * 1024;
/** The maximum number of bytes of an unread body that are skipped. If more are left, the connection is closed. */
const MAX_SKIPPED = 64 * 1024;
/** The number of bytes that are received and dropped while lingering. After that, receiving pauses. */
const MAX_LINGERED = 4 * 1024 * 1024;
/** The maximum size (bytes) of a buffer that an idle connection keeps. */
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
  /** Whether the peer has half-closed the connection. */
  #hasPeerEnded = false;
  /** Whether the current response is the last one of the connection. */
  #isLast = false;
  /** The time at which the current timeout ends, in the seconds of `context.now`. */
  #deadline: number;
  #lingered = 0;
  /** Called when the peer ends its side while the current request is handled. */
  #onEnd: (() => void) | undefined;

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

  onEnd(listener: () => void): void {
    if (this.#hasPeerEnded || !this.#isOpen) listener();
    else this.#onEnd = listener;
  }

  received(bytes: Buffer): void {
    if (this.#state === "lingering") {
      this.#lingered += bytes.length;
      // If the connection were closed now, the client might lose the response. Pausing only stops the client from
      // sending, and leaves it the time to read the response.
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
    this.#onEnd?.();
    this.#closeIfOver();
  }

  closed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#onEnd?.();
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
      // A long response may take any time, but the peer must read some of it within each timeout `stalled`.
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

  /** Runs the read loop with the buffered bytes, if the loop is stopped and has something to do. */
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

  /** Reads as many requests and bodies from `bytes` as can be handled now, and buffers the rest. */
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

  /** Reads the part of the body that has arrived. Returns the position after that part, or `MALFORMED`. */
  #feedBody(bytes: Buffer, start: number): number {
    const body = this.#body;
    const at = body.feed(bytes, start);
    const isHandling = this.#state === "handling";
    if (at === MALFORMED) {
      // Nobody can know where a malformed body ends and the next request begins, so this request is the last one.
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

  /** Buffers the beginning of a head, and waits for the rest of it. */
  #awaitHead(bytes: Buffer, start: number): void {
    if (this.#state !== "head") this.#deadline = this.#context.now + this.#context.timeouts.head;
    this.#state = "head";
    this.#buffer.keep(bytes, start);
  }

  /** Closes the connection if the peer has half-closed it and waits for no more responses. */
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

  /** Continues to read a body in a later turn of the event loop. Until then, nothing is received. */
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

  /**
   * Handles the request whose head has just been read; does so in a later turn of the event loop. The buffered bytes
   * may belong to the body of this request.
   */
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
    // `100 Continue` is sent even if there is no body or the request will be refused, because some clients wait for it
    // in any case.
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
    const body = response instanceof CachedResponse ? null : response.body;
    const isStream = body instanceof ReadableStream;
    if (!isStream) this.#onEnd = undefined;
    if (!this.#isOpen) {
      if (isStream) void cancel(body);
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
    this.#onEnd = undefined;
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

  /** Refuses a request that cannot be read. Drops the bytes after it, and closes the connection after the response. */
  #refuse({ status, detail }: HeadFault): void {
    this.#state = "handling";
    this.#isLast = true;
    this.#buffer.take();
    const { method, target } = this.#head;
    this.#respond(this.#context.reject({ status, detail, method, target, peer: this.peer }));
  }

  /** Closes the server's side of the connection. Bytes that still arrive are dropped. */
  #close(): void {
    this.#buffer.take();
    this.#head.clear();
    this.#state = "lingering";
    this.#deadline = this.#context.now + this.#context.timeouts.stalled;
    if (this.#transport.bufferedBytes === 0) this.#limitLingering();
    this.#buffer.resume();
    this.#transport.end();
  }

  /** Sets the deadline by which the peer must close its side. Called when the last response has been sent. */
  #limitLingering(): void {
    const { now, timeouts } = this.#context;
    this.#deadline = Math.min(this.#deadline, now + timeouts.lingering);
  }
}

/**
 * Returns whether the connection must end after this response: because its header `Connection` says so, or because the
 * end of the connection is the only mark for the end of the body (a stream to an HTTP/1.0 client).
 */
function endsConnection(response: HttpResponse, isHttp10: boolean): boolean {
  if (response instanceof CachedResponse) return false;
  return response.headers["connection"] === "close" || (isHttp10 && response.body instanceof ReadableStream);
}

/** Returns the position after blank lines, which some clients send after a body (RFC 9112, section 2.2). */
function afterBlankLines(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at;
}
