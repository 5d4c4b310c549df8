import { StoreOpenError } from "../../open-error.ts";
import { type Connection, type ConnectionOptions, connect } from "./connection.ts";
import { faultOf, isOfServer, type RedisFault } from "./faults.ts";

/** What a start connects with. */
export interface OpeningOptions extends ConnectionOptions {
  /** How long (ms) it waits for the servers. */
  readonly patience: number;
  /** Called once if the store is still waiting; `message` says what for. */
  readonly waiting: (message: string) => void;
}

/** Connects at a start. Throws `StoreOpenError`. */
export async function openConnection(options: OpeningOptions): Promise<Connection> {
  const waiting = ({ message }: RedisFault) =>
    options.waiting(`waiting for ${placeText(options)}: ${message}`);
  try {
    return await connect(options, options.patience, waiting);
  } catch (error) {
    throw inaccessible(options, error);
  }
}

/** What a start is refused with when the servers cannot be used, for the reason `error`. */
export function inaccessible(
  options: Pick<OpeningOptions, "place">,
  error: unknown,
): StoreOpenError {
  const fault = faultOf((error as Error).cause ?? error);
  const text = `${placeText(options)} cannot be used: ${fault.message}${adviceFor(options, fault)}`;
  return new StoreOpenError("inaccessible", text, fault);
}

/** Returns advice, unless the fault's message already contains it. */
function adviceFor({ place }: Pick<OpeningOptions, "place">, fault: RedisFault): string {
  const isSelfEvident = fault.isReply || fault.message.includes(";") || isOfServer(fault);
  if (isSelfEvident) return "";
  return place.isTls
    ? "; check that it runs at this address, speaks TLS, and that redisCaFile has the CA that signed its certificate"
    : "; check that it runs, and listens without TLS, at this address";
}

function placeText({ place: { kind, hosts, name } }: Pick<OpeningOptions, "place">): string {
  const addresses = hosts
    .map(({ host, port }) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`))
    .join(", ");
  if (kind === "single") return `Redis at ${addresses}`;
  return kind === "cluster"
    ? `the Redis Cluster at ${addresses}`
    : `Redis by the sentinels at ${addresses} (${name})`;
}
