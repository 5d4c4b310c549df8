/** A sender of the responses of one connection. */
export interface BatchedSender {
  /** Sends the bytes from `start` to `end`. The caller overwrites these bytes as soon as this call returns. */
  flush(bytes: Buffer, start: number, end: number): void;
  /** Called with an error thrown by `flush`, which is a defect. */
  failed(error: unknown): void;
}

/** The maximum length of a batched response in bytes. */
export const MAX_BATCHED = 4 * 1024;
const RESPONSES_PER_BATCH = 32;
/** If a turn of the event loop has at least this many responses, batching is worth a callback at the turn's end. */
const WORTH_BATCHING = 8;
/** After this many unbatched responses, one turn of the event loop is batched, to find out whether that is worth it. */
const RETRY_AFTER = 64;

/** Responses that are sent together. Their bytes follow each other: response `i` ends at `ends[i]`. */
class Batch {
  readonly bytes = Buffer.allocUnsafeSlow(RESPONSES_PER_BATCH * MAX_BATCHED);
  readonly senders: BatchedSender[] = [];
  readonly ends: number[] = [];
  length = 0;

  add(sender: BatchedSender, bytes: Buffer, start: number, end: number): void {
    bytes.copy(this.bytes, this.length, start, end);
    this.length += end - start;
    this.senders.push(sender);
    this.ends.push(this.length);
  }

  flush(): void {
    let start = 0;
    for (const [i, sender] of this.senders.entries()) {
      const end = this.ends[i] as number;
      // An error in one response must not affect the others.
      try {
        sender.flush(this.bytes, start, end);
      } catch (error) {
        sender.failed(error);
      }
      start = end;
    }
    this.senders.length = 0;
    this.ends.length = 0;
    this.length = 0;
  }
}

/**
 * Collects the short responses of one turn of the event loop, and sends them together at the end of the turn. When a
 * response arrives, the operating system has to wake the client that waits for it, which costs more than creating the
 * response. If the responses for all connections of a client arrive together, the client is woken only once. While
 * turns have few responses, each response is sent at once.
 */
export class ResponseBatcher {
  #batch = new Batch();
  /** The batch that is used while the other one is being sent; `undefined` during that time. */
  #spare: Batch | undefined = new Batch();
  #isWorthIt = false;
  /** Whether a full batch is being sent before the end of the turn of the event loop. */
  #isFlushingEarly = false;
  /** The number of unbatched responses since the last turn of the event loop that was batched. */
  #unbatched = 0;
  /** Whether the responses of this turn of the event loop are batched. */
  #isScheduled = false;
  /** The number of responses in this turn of the event loop so far, if they are batched. */
  #inTurn = 0;
  readonly #atEndOfTurn: (flush: () => void) => void;

  constructor(atEndOfTurn: (flush: () => void) => void = setImmediate) {
    this.#atEndOfTurn = atEndOfTurn;
  }

  /** Sends at most `MAX_BATCHED` bytes with `sender.flush`: at once, or a copy of them at the end of the turn. */
  send(sender: BatchedSender, bytes: Buffer, start: number, end: number): void {
    // Flushing may read and answer a client's next request. The response to that request is sent at once. If it were
    // batched, batches could fill again and again, and the turn might never end.
    if (this.#isFlushingEarly) {
      sender.flush(bytes, start, end);
      return;
    }
    if (!this.#isScheduled) {
      if (!this.#isWorthIt && ++this.#unbatched < RETRY_AFTER) {
        sender.flush(bytes, start, end);
        return;
      }
      this.#schedule();
    }
    this.#inTurn++;
    this.#batch.add(sender, bytes, start, end);
    // This must follow `add`, because flushing may cause new responses, which overwrite `bytes`.
    if (this.#batch.senders.length === RESPONSES_PER_BATCH) this.#flushEarly();
  }

  #flushEarly(): void {
    this.#isFlushingEarly = true;
    try {
      this.#flush();
    } finally {
      this.#isFlushingEarly = false;
    }
  }

  #schedule(): void {
    this.#isScheduled = true;
    this.#inTurn = 0;
    this.#atEndOfTurn(() => {
      this.#isScheduled = false;
      this.#isWorthIt = this.#inTurn >= WORTH_BATCHING;
      this.#unbatched = 0;
      this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#batch;
    this.#batch = this.#spare ?? new Batch();
    this.#spare = undefined;
    batch.flush();
    this.#spare = batch;
  }
}
