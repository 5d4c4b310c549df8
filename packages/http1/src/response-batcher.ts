/** A sender of responses. */
export interface BatchedSender {
  /** Sends the bytes from `start` to `end`, which are overwritten after this returns. */
  flush(bytes: Buffer, start: number, end: number): void;
  /** Called with an error thrown by `flush`, which is a defect. */
  failed(error: unknown): void;
}

/** The maximum length of a batched response in bytes. */
export const MAX_BATCHED = 4 * 1024;
const RESPONSES_PER_BATCH = 32;
/** The number of responses in a turn for which batching is worth the cost of a callback at the end of the turn. */
const WORTH_BATCHING = 8;
/** After this many unbatched responses, one turn is batched to see whether it is worth it now. */
const RETRY_AFTER = 64;

/** Responses that are sent together: the n-th ends at the n-th of `ends`. */
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
 * Sends the short responses that are made in one turn of the event loop together at its end. A client that reads them
 * all is mostly still awake when the next one arrives, and waking it for each costs more than making the response.
 * While a turn has few responses, they are sent at once.
 */
export class ResponseBatcher {
  #batch = new Batch();
  /** The batch to use while the other one is sent; `undefined` while it is in use. */
  #spare: Batch | undefined = new Batch();
  #isWorthIt = false;
  /** Whether a full batch is being sent in the middle of a turn. */
  #isFlushingEarly = false;
  /** The number of unbatched responses since the last batched turn. */
  #unbatched = 0;
  /** Whether this turn is batched, and how many responses it has so far. */
  #isScheduled = false;
  #inTurn = 0;
  readonly #atEndOfTurn: (flush: () => void) => void;

  constructor(atEndOfTurn: (flush: () => void) => void = setImmediate) {
    this.#atEndOfTurn = atEndOfTurn;
  }

  /** Has `sender` send a response of at most `MAX_BATCHED` bytes: now, or a copy of it at the end of the turn. */
  send(sender: BatchedSender, bytes: Buffer, start: number, end: number): void {
    // Flushing may read and answer a client's next request. That response is sent at once: else the turn might not end.
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
    // Not before adding: flushing may cause new responses, which overwrite `bytes`.
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
