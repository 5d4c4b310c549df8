/** A connection of the operating system, as a runtime provides it. */
export interface Transport {
  /** The address of the peer, even after it has disconnected; "" on a Unix socket. */
  readonly peer: string;
  /** The number of written bytes that have not been handed to the operating system yet. */
  readonly bufferedBytes: number;
  /**
   * Sends the bytes from `start` to `end`. The caller may change these bytes as soon as this call returns. Returns
   * false if the peer accepts no more bytes for now. Then the rest is buffered, and `drained` is called when it has
   * been sent.
   */
  write(bytes: Buffer, start: number, end: number): boolean;
  /** Stops receiving until `resume`. Bytes that are already on their way may still arrive. */
  pause(): void;
  resume(): void;
  /** Half-closes the connection: informs the peer that no more bytes follow. The peer may still send. */
  end(): void;
  /** Closes both directions at once. */
  destroy(): void;
}

/** The receiver of a connection's events. No event follows `closed`. */
export interface TransportEvents {
  /** Bytes have arrived. The receiver may keep the buffer, because nobody else uses it. */
  received(bytes: Buffer): void;
  /** Everything written has been sent. */
  drained(): void;
  /** The peer has half-closed the connection. */
  ended(): void;
  closed(): void;
}
