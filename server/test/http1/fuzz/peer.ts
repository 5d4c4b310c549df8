import type { Transport, TransportEvents } from "../../../src/http/http1/transport.ts";
import type { Random } from "../../faults/random.ts";

/** How the client of one connection behaves. */
export interface Manners {
  /** Chance of a piece of the stream being a single byte. */
  readonly byteByByte: number;
  /** Bytes of a piece, at the most. */
  readonly maxPiece: number;
  /** Chance of the client not taking what was written at once. */
  readonly backPressure: number;
  /** Whether it ends its side after the stream. */
  readonly ends: boolean;
  /** After how many bytes of the stream it is gone; `undefined`: it stays. */
  readonly goneAfter: number | undefined;
}

export function randomManners(random: Random, length: number): Manners {
  return {
    byteByByte: random.pick([0, 0, 0.1, 0.9]),
    maxPiece: random.pick([3, 40, 1_000, 70_000]),
    backPressure: random.pick([0, 0, 0.3, 1]),
    ends: random.next() < 0.5,
    goneAfter: random.next() < 0.05 ? random.between(0, length) : undefined,
  };
}

/** A client on a connection that exists in this process alone: it sends a text in pieces, and keeps what it gets. */
export class Peer implements Transport {
  readonly peer = "192.0.2.1";
  unsent = 0;
  /** All that the server wrote, a character a byte. */
  text = "";
  /** Whether the server has ended its side, or the connection. */
  isOver = false;
  /** Whether the client has ended the connection. */
  isGone = false;
  hasEnded = false;

  readonly stream: string;
  readonly manners: Manners;
  readonly #random: Random;
  #sent = 0;
  #isPaused = false;
  #events: TransportEvents | undefined;

  constructor(stream: string, manners: Manners, random: Random) {
    this.stream = stream;
    this.manners = manners;
    this.#random = random;
  }

  connect(to: (transport: Transport) => TransportEvents): void {
    this.#events = to(this);
  }

  /** Whether the whole stream was sent. */
  get hasSentAll(): boolean {
    return this.#sent === this.stream.length;
  }

  /** Does the next thing that the client does; false when there is none. */
  step(): boolean {
    const events = this.#events;
    if (events === undefined || this.isGone) return false;
    const { goneAfter, ends } = this.manners;
    if (goneAfter !== undefined && this.#sent >= goneAfter) return this.leave();
    if (this.unsent > 0 && this.#random.next() < 0.5) {
      this.unsent = 0;
      events.drained();
      return true;
    }
    // What is on its way arrives although no more is to come.
    const mayArrive = !this.#isPaused || this.#random.next() < 0.02;
    if (!this.hasSentAll && mayArrive && !this.hasEnded) {
      events.received(this.#nextPiece());
      return true;
    }
    if (this.hasSentAll && ends && !this.hasEnded && !this.#isPaused) {
      this.hasEnded = true;
      events.ended();
      return true;
    }
    return this.unsent > 0;
  }

  /** Ends the connection. */
  leave(): boolean {
    if (this.isGone) return false;
    this.isGone = true;
    this.#events?.closed();
    return true;
  }

  #nextPiece(): Buffer {
    const { byteByByte, maxPiece } = this.manners;
    const length = this.#random.next() < byteByByte ? 1 : this.#random.between(1, maxPiece);
    const end = Math.min(this.stream.length, this.#sent + length);
    const piece = Buffer.from(this.stream.slice(this.#sent, end), "latin1");
    this.#sent = end;
    return piece;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.isOver) throw new Error("written after the end");
    this.text += bytes.toString("latin1", start, end);
    if (this.unsent > 0 || this.#random.next() < this.manners.backPressure) {
      this.unsent += end - start;
    }
    return this.unsent === 0;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  end(): void {
    this.isOver = true;
  }

  destroy(): void {
    this.isOver = true;
    this.isGone = true;
  }
}
