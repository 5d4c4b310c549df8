/** A connection of the operating system's, as a runtime gives it. */
export interface Transport {
  /** The address of the peer, even after it has disconnected; "" on a Unix socket. */
  readonly peer: string;
  /** How many bytes of what was written are still to go out. */
  readonly unsent: number;
  /**
   * Sends the bytes from `start` to `end`; they may be changed as soon as this returns. False when the peer
   * takes no more now: what is left is kept, and `drained` is called when it has gone out.
   */
  write(bytes: Buffer, start: number, end: number): boolean;
  /** Nothing is received until `resume`, but for what is on its way. */
  pause(): void;
  resume(): void;
  /** Tells the peer that nothing follows what was sent; it may still send. */
  end(): void;
  /** Ends both directions at once. */
  destroy(): void;
}

/** Who hears what happens on a connection. Nothing is told after `closed`. */
export interface TransportEvents {
  /** The bytes are nobody else's from now on. */
  received(bytes: Buffer): void;
  /** All that was written has gone out. */
  drained(): void;
  /** The peer sends nothing more. */
  ended(): void;
  closed(): void;
}
