import {
  type ApiRequest,
  type ApiResponse,
  BodyError,
  KeptResponse,
  type MayHold,
  type UnreadRequest,
} from "../messages.ts";
import { inTurn } from "../pieces.ts";
import { Intake, MAX_HELD } from "./intake.ts";
import { HeadedRequest, type RequestSource } from "./request.ts";
import { MALFORMED, RequestBody } from "./request-body.ts";
import {
  type HasLongHead,
  type HeadFault,
  INCOMPLETE,
  REFUSED,
  RequestHead,
} from "./request-head.ts";
import {
  cancel,
  ResponseSender,
  type SenderContext,
  type SenderEvents,
} from "./response-sender.ts";
import type { Transport, TransportEvents } from "./transport.ts";

/** How long a connection may take for what, in seconds. */
export interface Patience {
  /** Without a request. */
  readonly idle: number;
  /** From the first byte of a request to the end of its head, and to the end of its body. */
  readonly head: number;
  readonly request: number;
  /** Without reading anything of an answer. */
  readonly stalled: number;
  /** From our end of the connection to the peer's. */
  readonly lingering: number;
}

/** What the connections of a server have in common. */
export interface ConnectionContext extends SenderContext {
  handle(request: ApiRequest): ApiResponse | Promise<ApiResponse>;
  readonly patience: Patience;
  /** Seconds since the start. */
  readonly now: number;
  /** An answer could not be written for a reason that no client can have. */
  defect(error: unknown): void;
  /** Makes the response to a request that could not be read. */
  refuse(request: UnreadRequest): ApiResponse;
  readonly hasLongHead: HasLongHead;
  closed(connection: Connection): void;
}

/** Requests of one connection that are answered in one turn of the event loop, when they come together. */
const REQUESTS_A_TURN = 16;
/** Bytes of their heads. Whoever sends more waits in a queue: what a head has may take long to look at. */
const HEAD_BYTES_A_TURN = 8 * 1024;
/** How much of a body that nobody reads passes by before the connection is given up instead. */
const MAX_SKIPPED = 64 * 1024;
/** How much is let pass after our end, so that the last answer is not lost with what was unread. */
const MAX_LINGERED = 4 * 1024 * 1024;
/** A buffer that is kept with an idle connection has at most so many bytes. */
const MAX_KEPT = 4 * 1024;

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const CR = 0x0d;
const LF = 0x0a;

type State =
  /** Requests come, one after the other. */
  | "open"
  /** The last answer has been sent, and our end with it: what still comes is not looked at. */
  | "lingering"
  | "closed";

/** A connection: takes requests apart, has them handled, and sends the answers in their order. */
export class Connection implements TransportEvents, RequestSource, SenderEvents {
  readonly #transport: Transport;
  readonly #context: ConnectionContext;
  readonly #intake: Intake;
  readonly #head: RequestHead;
  readonly #body = new RequestBody();
  readonly #request: HeadedRequest;
  readonly #sender: ResponseSender;
  #state: State = "open";
  /** A request is being handled, or its answer being sent. */
  #isBusy = false;
  /** The loop over what was received is running, or will go on in the next turn. */
  #isAdvancing = false;
  #isResting = false;
  /** Waits for the rest of a head whose beginning has arrived. */
  #awaitsHead = false;
  /** The peer has sent its end. */
  #hasEnded = false;
  /** No request follows the one that is being handled. */
  #isLast = false;
  /** When the patience is over, in seconds of the context. */
  #deadline: number;
  #lingered = 0;

  constructor(transport: Transport, context: ConnectionContext) {
    this.#transport = transport;
    this.#context = context;
    this.#intake = new Intake(transport);
    this.#head = new RequestHead(context.hasLongHead);
    this.#request = new HeadedRequest(this.#head, this);
    this.#sender = new ResponseSender(transport, context, this);
    this.#deadline = context.now + context.patience.idle;
  }

  /** Whether a request is being handled, or its answer has not gone out whole. */
  get isBusy(): boolean {
    if (this.#state === "closed") return false;
    return (this.#isBusy && this.#state === "open") || this.#transport.unsent > 0;
  }

  get peer(): string {
    return this.#transport.peer;
  }

  readBody(limit: number, mayHold?: MayHold): Promise<Uint8Array | undefined> {
    const body = this.#body.read(limit, mayHold);
    if (!this.#body.isComplete && !this.#isResting) this.#intake.resume();
    return body;
  }

  received(bytes: Buffer): void {
    if (this.#state === "lingering") {
      this.#lingered += bytes.length;
      // A reset could destroy the response; a client that only cannot send any more has time to read it.
      if (this.#lingered > MAX_LINGERED) this.#intake.pause();
    } else if (this.#state === "open") this.#receive(bytes);
  }

  drained(): void {
    this.#sender.drained();
  }

  ended(): void {
    this.#hasEnded = true;
    this.#closeIfOver();
  }

  closed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#body.fail(new BodyError("gone"));
    this.#sender.close();
    this.#intake.take();
    this.#context.closed(this);
  }

  /** Ends what takes longer than it may. Call it once a second. */
  check(): void {
    if (this.#state === "lingering" && this.#transport.unsent === 0) this.#linger();
    if (this.#context.now < this.#deadline) return;
    if (this.#state !== "open") this.destroy();
    else if (this.#sender.isWaiting) this.#checkProgress();
    else if (this.#isBusy) {
      if (this.#body.isComplete) return;
      this.#isLast = true;
      this.#body.fail(new BodyError("late"));
    } else if (this.#intake.isEmpty || !this.#body.isComplete) this.#close();
    else {
      this.#head.giveUp(this.#intake.take());
      this.#refuse({ status: 408, detail: "The head of the request did not arrive in time." });
    }
  }

  /** A long answer takes its time; it may not stand still. */
  #checkProgress(): void {
    if (!this.#sender.hasMoved()) this.destroy();
    this.#deadline = this.#context.now + this.#context.patience.stalled;
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#transport.destroy();
    this.closed();
  }

  #receive(bytes: Buffer): void {
    const all = this.#intake.with(bytes);
    const isWanted = !this.#isBusy || !this.#body.isComplete;
    if (isWanted && !this.#isResting) this.#advance(all);
    else this.#intake.hold(all, 0);
  }

  /** Goes on with what was held back. */
  #goOn(): void {
    if (this.#state !== "open" || this.#isAdvancing || this.#isResting) return;
    const intake = this.#intake;
    if (intake.isEmpty && !intake.isPaused && !this.#hasEnded) return;
    intake.resume();
    this.#advance(intake.take());
  }

  /** Takes requests from `bytes`, and what belongs to their bodies, as far as they can be handled now. */
  #advance(bytes: Buffer): void {
    this.#isAdvancing = true;
    this.#intake.take();
    try {
      this.#takeRequests(bytes);
    } catch (error) {
      this.#giveUp(error);
    }
    this.#isAdvancing = false;
    this.#intake.settle();
    this.#closeIfOver();
  }

  #takeRequests(bytes: Buffer): void {
    let at = 0;
    let headBytes = 0;
    for (let begun = 0; this.#state === "open"; begun++) {
      if (!this.#body.isComplete) {
        at = this.#takeBody(bytes, at);
        if (!this.#body.isComplete) {
          if (this.#body.isTired && at !== MALFORMED) this.#restWithBody(bytes, at);
          return;
        }
      }
      at = afterBlankLines(bytes, at);
      if (at === bytes.length) return;
      if (this.#isBusy || begun === REQUESTS_A_TURN) {
        this.#intake.hold(bytes, at);
        if (!this.#isBusy) this.#rest();
        return;
      }
      const next = this.#head.parse(bytes, at);
      if (next === REFUSED) this.#refuse(this.#head.fault);
      else if (next === INCOMPLETE) this.#await(bytes, at);
      if (next <= INCOMPLETE) return;
      headBytes += next - at;
      at = next;
      if (headBytes > HEAD_BYTES_A_TURN) {
        this.#intake.hold(bytes, at);
        this.#beginInTurn();
        return;
      }
      this.#begin();
    }
  }

  /** Takes what belongs to the body of the request, and gives the place after it. */
  #takeBody(bytes: Buffer, start: number): number {
    const at = this.#body.feed(bytes, start);
    if (at === MALFORMED) {
      // Nobody knows where the next request would begin.
      this.#isLast = true;
      if (!this.#isBusy) this.#close();
    } else this.#checkBody();
    return at;
  }

  /** Closes if the peer has ended, and nothing is left to do for it. */
  #closeIfOver(): void {
    if (!this.#hasEnded || this.#state !== "open" || this.#isResting || this.#isAdvancing) return;
    if (!this.#body.isComplete) {
      this.#isLast = true;
      this.#body.fail(new BodyError("gone"));
    }
    if (!this.#isBusy) this.#close();
  }

  /** Keeps the beginning of a head. */
  #await(bytes: Buffer, start: number): void {
    const { now, patience } = this.#context;
    if (!this.#awaitsHead) this.#deadline = now + patience.head;
    this.#awaitsHead = true;
    this.#intake.hold(bytes, start);
  }

  /** Goes on in the next turn, so that others have theirs. */
  #rest(): void {
    this.#isResting = true;
    setImmediate(() => this.#endRest());
  }

  /** The same in the middle of a body; meanwhile nothing is received, and only a few bodies continue per turn. */
  #restWithBody(bytes: Buffer, start: number): void {
    this.#intake.hold(bytes, start);
    this.#intake.pause();
    this.#isResting = true;
    inTurn(() => {
      this.#body.beginTurn();
      this.#endRest();
    });
  }

  #endRest(): void {
    this.#isResting = false;
    this.#goOn();
  }

  /** Handles the request whose head was read in a later turn, in which few others of this kind are handled. */
  #beginInTurn(): void {
    this.#isBusy = true;
    this.#deadline = Number.POSITIVE_INFINITY;
    // What is held may begin with its body, which nobody knows before it is begun.
    this.#isResting = true;
    inTurn(() => {
      this.#isResting = false;
      if (this.#state !== "open") return;
      try {
        this.#begin();
      } catch (error) {
        this.#giveUp(error);
      }
      this.#goOn();
    });
  }

  #begin(): void {
    const { now, patience } = this.#context;
    this.#awaitsHead = false;
    this.#isBusy = true;
    this.#isLast = !this.#head.isKeptAlive;
    this.#body.begin(this.#head);
    // Sent even without a body or before a refusal: some clients wait for it in any case.
    if (this.#head.expectsContinue) this.#transport.write(CONTINUE, 0, CONTINUE.length);
    this.#deadline = this.#body.isComplete ? Number.POSITIVE_INFINITY : now + patience.request;
    const answer = this.#context.handle(this.#request);
    if (!(answer instanceof Promise)) this.#answer(answer);
    else {
      answer.then(
        (response) => this.#answer(response),
        (error: unknown) => this.#giveUp(error),
      );
    }
  }

  /** After some of a body has come. */
  #checkBody(): void {
    const body = this.#body;
    if (body.isComplete) {
      this.#deadline = this.#isBusy
        ? Number.POSITIVE_INFINITY
        : this.#context.now + this.#context.patience.idle;
    } else if (this.#isBusy) {
      if (!body.isAwaited && body.received > MAX_HELD) this.#intake.pause();
    } else if (body.received > MAX_SKIPPED) this.#close();
  }

  #answer(response: ApiResponse): void {
    if (this.#state !== "open") {
      const body = response instanceof KeptResponse ? null : response.body;
      if (body instanceof ReadableStream) void cancel(body);
      return;
    }
    const isHead = this.#head.method === "HEAD";
    const isOld = this.#head.minorVersion === 0;
    if (!this.#canSkipBody() || endsConnection(response, isOld)) this.#isLast = true;
    this.#deadline = Number.POSITIVE_INFINITY;
    try {
      this.#sender.send(response, { isHead, isOld, isKeptAlive: !this.#isLast });
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #giveUp(error: unknown): void {
    this.#context.defect(error);
    this.destroy();
  }

  /** Whether the next request can be reached past what is left of the body of this one. */
  #canSkipBody(): boolean {
    return this.#body.isComplete || this.#head.contentLength <= MAX_SKIPPED;
  }

  waits(): void {
    this.#deadline = this.#context.now + this.#context.patience.stalled;
  }

  brokeOff(): void {
    this.destroy();
  }

  failed(error: unknown): void {
    this.#giveUp(error);
  }

  /** The answer has been sent. */
  sent(): void {
    if (this.#state !== "open") return;
    this.#isBusy = false;
    if (this.#head.size > MAX_KEPT) this.#head.clear();
    if (!this.#body.isComplete || this.#body.received > 0) this.#body.skip();
    if (this.#isLast) {
      this.#close();
      return;
    }
    const { now, patience } = this.#context;
    if (this.#body.isComplete) this.#deadline = now + patience.idle;
    else this.#deadline = now + patience.request;
    if (!this.#isAdvancing) this.#goOn();
  }

  /** Refuses a request that could not be read, and everything after it. */
  #refuse({ status, detail }: HeadFault): void {
    this.#isBusy = true;
    this.#isLast = true;
    this.#intake.take();
    const { method, target } = this.#head;
    this.#answer(this.#context.refuse({ status, detail, method, target, peer: this.peer }));
  }

  /** Sends our end. A connection that is closed with bytes unread takes the last answer with it: they pass. */
  #close(): void {
    this.#intake.take();
    this.#head.clear();
    this.#state = "lingering";
    this.#deadline = this.#context.now + this.#context.patience.stalled;
    if (this.#transport.unsent === 0) this.#linger();
    this.#intake.resume();
    this.#transport.end();
  }

  /** From when on all has gone out. */
  #linger(): void {
    const { now, patience } = this.#context;
    this.#deadline = Math.min(this.#deadline, now + patience.lingering);
  }
}

/** Whether nothing can follow an answer: it says so, or only the end of the connection tells its own. */
function endsConnection(response: ApiResponse, isOld: boolean): boolean {
  if (response instanceof KeptResponse) return false;
  return (
    response.headers["connection"] === "close" || (isOld && response.body instanceof ReadableStream)
  );
}

/** Some clients end a body with a line that does not belong to it (RFC 9112, section 2.2). */
function afterBlankLines(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at;
}
