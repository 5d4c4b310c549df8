/** Whose answer is to be sent. */
export interface Gathered {
  /** Sends the bytes from `start` to `end`, which others use again when this returns. */
  flush(bytes: Buffer, start: number, end: number): void;
  /** Called with an error thrown by `flush`, which is a defect. */
  failed(error: unknown): void;
}

/** An answer that is longer goes out by itself. */
export const MAX_GATHERED = 4 * 1024;
/** No answer waits for more than so many others. */
const ANSWERS_A_BATCH = 32;
/** In how many answers a turn has to end for the gathering to be worth what the end of a turn costs. */
const WORTH_GATHERING = 8;
/** Where it is not, one turn in so many answers is gathered all the same, to see whether it would be. */
const LOOK_AFTER = 64;

/** Answers that go out together: the n-th ends at the n-th of `ends`. */
class Batch {
  readonly bytes = Buffer.allocUnsafeSlow(ANSWERS_A_BATCH * MAX_GATHERED);
  readonly senders: Gathered[] = [];
  readonly ends: number[] = [];
  length = 0;

  add(sender: Gathered, bytes: Buffer, start: number, end: number): void {
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
 * The short answers of many connections that are made in one turn of the event loop: they are handed to the
 * system one right after the other, at the end of the turn. A client that takes them all is then mostly awake
 * when the next one comes; to wake it for each costs more than to make the answer. Where a turn has few
 * answers they go out at once, each by itself.
 */
export class Outbox {
  #filling = new Batch();
  /** Not needed while answers are being sent, when new ones may come. */
  #spare: Batch | undefined = new Batch();
  #isGathering = false;
  #isMakingRoom = false;
  /** Answers that went out at once since a turn was gathered last. */
  #alone = 0;
  /** Whether this turn is gathered, and how many answers it has so far. */
  #isScheduled = false;
  #ofTurn = 0;
  readonly #atEndOfTurn: (flush: () => void) => void;

  constructor(atEndOfTurn: (flush: () => void) => void = setImmediate) {
    this.#atEndOfTurn = atEndOfTurn;
  }

  /** Has an answer of `MAX_GATHERED` bytes at most sent by `flush` of its sender: at once, or a copy of it later. */
  put(sender: Gathered, bytes: Buffer, start: number, end: number): void {
    // Else clients that do not wait for their answers would keep each other going, and nobody would rest.
    if (this.#isMakingRoom) {
      sender.flush(bytes, start, end);
      return;
    }
    if (!this.#isScheduled) {
      if (!this.#isGathering && ++this.#alone < LOOK_AFTER) {
        sender.flush(bytes, start, end);
        return;
      }
      this.#schedule();
    }
    this.#ofTurn++;
    this.#filling.add(sender, bytes, start, end);
    // Not before: whoever hears that an answer went out may put the next one where this one was made.
    if (this.#filling.senders.length === ANSWERS_A_BATCH) this.#makeRoom();
  }

  #makeRoom(): void {
    this.#isMakingRoom = true;
    try {
      this.#flush();
    } finally {
      this.#isMakingRoom = false;
    }
  }

  #schedule(): void {
    this.#isScheduled = true;
    this.#ofTurn = 0;
    this.#atEndOfTurn(() => {
      this.#isScheduled = false;
      this.#isGathering = this.#ofTurn >= WORTH_GATHERING;
      this.#alone = 0;
      this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#filling;
    this.#filling = this.#spare ?? new Batch();
    this.#spare = undefined;
    batch.flush();
    this.#spare = batch;
  }
}
