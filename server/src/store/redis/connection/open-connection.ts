import { StoreOpenError } from "../../open-error.ts";
import { type Connection, type ConnectionOptions, connect } from "./connection.ts";
import { cameFromServer, faultOf, type RedisFault } from "./faults.ts";

/** Options for opening a connection. */
export interface OpeningOptions extends ConnectionOptions {
  /** Maximum time (ms) to wait for the Redis servers. */
  readonly openTimeout: number;
  /** Called once if connecting takes long. `message` says which servers are waited for, and why. */
  readonly waiting: (message: string) => void;
}

/** Connects to Redis. Throws `StoreOpenError`. */
export async function openConnection(options: OpeningOptions): Promise<Connection> {
  const waiting = ({ message }: RedisFault) => options.waiting(`waiting for ${placeText(options)}: ${message}`);
  try {
    return await connect(options, options.openTimeout, waiting);
  } catch (error) {
    throw inaccessible(options, error);
  }
}

/** Creates the `StoreOpenError` for Redis servers that cannot be used because of `error`. */
export function inaccessible(options: Pick<OpeningOptions, "place">, error: unknown): StoreOpenError {
  const fault = faultOf((error as Error).cause ?? error);
  const text = `${placeText(options)} cannot be used: ${fault.message}${adviceFor(options, fault)}`;
  return new StoreOpenError("inaccessible", text, fault);
}

/** Returns advice to the operator, or `""` if the message of the fault already contains advice. */
function adviceFor({ place }: Pick<OpeningOptions, "place">, fault: RedisFault): string {
  const isSelfEvident = fault.isReply || fault.message.includes(";") || cameFromServer(fault);
  if (isSelfEvident) return "";
  if (["ENOTFOUND", "EAI_AGAIN"].includes(fault.code)) return "; check the name of the host in store";
  return place.isTls
    ? "; check that it runs at this address, speaks TLS, that redisCaFile has the CA that signed its certificate, and that redisCertFile is set if it asks for one (tls-auth-clients)"
    : "; check that it runs, and listens without TLS, at this address";
}

function placeText({ place: { kind, hosts, name } }: Pick<OpeningOptions, "place">): string {
  const addresses = hosts
    .map(({ host, port }) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`))
    .join(", ");
  if (kind === "single") return `Redis at ${addresses}`;
  return kind === "cluster" ? `the Redis Cluster at ${addresses}` : `Redis by the sentinels at ${addresses} (${name})`;
}
