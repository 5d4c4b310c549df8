/** A connection of the operating system, as a runtime provides it. */
export interface Transport {
  /** The address of the peer, even after it has disconnected; "" on a Unix socket. */
  readonly peer: string;
  /** How many written bytes have not been handed to the system yet. */
  readonly bufferedBytes: number;
  /**
   * Sends the bytes from `start` to `end`, which may be changed as soon as this returns. Returns false if the peer
   * takes no more for now: the rest is buffered, and `drained` is called when it has been sent.
   */
  write(bytes: Buffer, start: number, end: number): boolean;
  /** Receives nothing until `resume`, except what is already on its way. */
  pause(): void;
  resume(): void;
  /** Half-closes: nothing more is sent, but the peer may still send. */
  end(): void;
  /** Closes both directions at once. */
  destroy(): void;
}

/** The receiver of a connection's events. No event follows `closed`. */
export interface TransportEvents {
  /** The receiver owns the bytes from now on. */
  received(bytes: Buffer): void;
  /** Everything written has been sent. */
  drained(): void;
  /** The peer has half-closed. */
  ended(): void;
  closed(): void;
}
