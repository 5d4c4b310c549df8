/** The bytes of a piece, and how many pieces are sent or received in one turn of the event loop, for all callers together. */
const PIECE = 64 * 1024;
const A_TURN = 4;

/** Whether a body is worth sending in pieces. */
export function isLong(body: unknown): body is Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array && body.length > PIECE;
}

/**
 * The pieces of a document, to be sent as fast as the caller takes them, in turns with whatever else
 * there is to do. Given whole, it would be handed to the system at once: a crowd that asks for a
 * megabyte, and need not even read it, would hold up all others for seconds.
 */
export async function* piecesOf(
  bytes: Uint8Array<ArrayBuffer>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  for (let start = 0; start < bytes.length; start += PIECE) {
    await turn();
    yield bytes.subarray(start, start + PIECE);
  }
}

let waiting: (() => void)[] = [];

/** Calls `go` in a later turn of the event loop; each turn calls only a few. `go` must not throw. */
export function inTurn(go: () => void): void {
  if (waiting.length === 0) setImmediate(next);
  waiting.push(go);
}

function turn(): Promise<void> {
  return new Promise(inTurn);
}

function next(): void {
  const called = waiting.slice(0, A_TURN);
  waiting = waiting.slice(A_TURN);
  if (waiting.length > 0) setImmediate(next);
  for (const go of called) go();
}
