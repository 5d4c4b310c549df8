/** The bytes of a slice, and how many queued functions run in one turn of the event loop, for all connections together. */
const SLICE_BYTES = 64 * 1024;
const PER_TURN = 4;

let queue: (() => void)[] = [];

/**
 * Calls `run` in a later turn of the event loop. Few of these calls happen in one turn, so that expensive requests
 * delay the others only a little. `run` must not throw.
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

/** Returns whether a body is sent in slices. */
export function isLong(body: unknown): body is Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array && body.length > SLICE_BYTES;
}

/**
 * Yields a long body in slices, each in a later turn. If whole bodies were handed to the system at once, many
 * requests for a megabyte, even of clients that do not read it, would block all others for seconds.
 */
export async function* slicesOf(
  bytes: Uint8Array<ArrayBuffer>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  for (let start = 0; start < bytes.length; start += SLICE_BYTES) {
    await new Promise<void>(runInLaterTurn);
    yield bytes.subarray(start, start + SLICE_BYTES);
  }
}
