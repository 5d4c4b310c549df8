import { StoreOpenError } from "../open-error.ts";
import { type Connection, type ConnectionOptions, connect } from "./connection.ts";

/** What a start connects with. */
export interface OpeningOptions extends ConnectionOptions {
  /** How long (ms) it waits for the servers. */
  readonly patience: number;
}

/** Connects at a start. Throws `StoreOpenError`. */
export async function openConnection(options: OpeningOptions): Promise<Connection> {
  try {
    return await connect(options, options.patience);
  } catch (error) {
    throw inaccessible(error);
  }
}

/** What a start is refused with when the servers cannot be used, for the reason `error`. */
export function inaccessible(error: unknown): StoreOpenError {
  const cause = (error as Error).cause ?? error;
  const message = `Redis cannot be used: ${(cause as Error).message}. Look at store and redisCaFile, and whether it runs.`;
  return new StoreOpenError("inaccessible", message, error);
}
