/** A request as a parser reads it. */
export interface ReadRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Some headers by name in lower case; several values of one name are joined. */
  readonly fields: Readonly<Record<string, string>>;
  /** The body, one character per byte; `null` if it is incomplete or malformed. */
  body: string | null;
}

/** How a parser reads the bytes of one connection. */
export interface Reading {
  readonly requests: ReadRequest[];
  /** Why the parser stops reading; `undefined` if it waits for more bytes, or closed the connection in order. */
  rejection: string | undefined;
}

/** Names of the compared headers. */
export const comparedFields = [
  ...["x-id", "x-empty", "x-spaced", "x-twice", "x-bytes", "x-much", "x-absent", "x-long"],
  ...["cookie", "accept", "connection", "content-length", "transfer-encoding", "expect"],
];

/** Resolves after enough turns of the event loop for all requests to be read. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
}
