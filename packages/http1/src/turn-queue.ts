/** The maximum length of a slice of a body, in bytes. */
const SLICE_BYTES = 64 * 1024;
/** The number of queued functions that run in one turn of the event loop, for all connections together. */
const PER_TURN = 4;

let queue: (() => void)[] = [];

/**
 * Calls `run` in a later turn of the event loop. At most `PER_TURN` queued functions run in one turn, so that
 * expensive requests delay other requests only a little. `run` must not throw.
 */
export function runInLaterTurn(run: () => void): void {
  if (queue.length === 0) setImmediate(runNext);
  queue.push(run);
}

function runNext(): void {
  const next = queue.slice(0, PER_TURN);
  queue = queue.slice(PER_TURN);
  if (queue.length > 0) setImmediate(runNext);
  for (const run of next) run();
}

/** Returns whether a body is long enough to be sent in slices. */
export function isLong(body: unknown): body is Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array && body.length > SLICE_BYTES;
}

/**
 * Yields a long body in slices, each in a later turn of the event loop. If whole bodies were handed to the operating
 * system at once, many requests for a megabyte would block all other requests for seconds, even if their clients read
 * nothing.
 */
export async function* slicesOf(bytes: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  for (let start = 0; start < bytes.length; start += SLICE_BYTES) {
    await new Promise<void>(runInLaterTurn);
    yield bytes.subarray(start, start + SLICE_BYTES);
  }
}
