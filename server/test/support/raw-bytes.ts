import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";

/** What came of bytes that were sent as they are. */
export interface RawOutcome {
  /** Everything that the server answered, a character a byte. */
  readonly received: string;
  /** How many bytes it took. */
  readonly sent: number;
  /** Whether it closed the connection; else the time was over. */
  readonly closed: boolean;
}

export interface RawOptions {
  /** Milliseconds until the connection is given up. */
  readonly patience?: number;
  /** Whether the first answer is enough. */
  readonly untilAnswer?: boolean;
}

/**
 * Opens a connection to the server at `url`, sends all of `pieces` as fast as the server takes them,
 * and listens until the server closes it or the patience is over. Connection errors are an end too.
 */
export async function sendRaw(
  url: string,
  pieces: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
  { patience = 300, untilAnswer = false }: RawOptions = {},
): Promise<RawOutcome> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  let received = "";
  let closed = false;
  const over = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, patience);
    const close = () => {
      closed = true;
      clearTimeout(timer);
      resolve();
    };
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text;
      if (untilAnswer) resolve();
    });
    socket.on("error", close).on("end", close).on("close", close);
  });
  const sent = await Promise.race([write(socket, pieces), over.then(() => undefined)]);
  await over;
  const taken = sent ?? socket.bytesWritten;
  socket.destroy();
  return { received, sent: taken, closed };
}

/** The status codes of all answers in what was received. */
export function statusesOf(received: string): number[] {
  return [...received.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map((match) => Number(match[1]));
}

async function write(
  socket: Socket,
  pieces: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
): Promise<number> {
  for await (const piece of pieces) {
    if (socket.destroyed) break;
    const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
    if (!socket.write(bytes)) await room(socket);
    // An answer that has come is read before the next piece goes out.
    await turn();
  }
  return socket.bytesWritten;
}

function room(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      for (const event of ["drain", "error", "close"]) socket.off(event, go);
      resolve();
    };
    for (const event of ["drain", "error", "close"]) socket.on(event, go);
  });
}
