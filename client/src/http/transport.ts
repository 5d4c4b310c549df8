import { createRequestSender, type TransportOptions } from "../call.ts";
import { createOperations } from "../operations.ts";
import type { Transport } from "../transport.ts";
import { checkTransportOptions } from "../transport-options.ts";
import { createServerCalls } from "./calls.ts";

/**
 * Creates the operations of a service for a server. They do the same as those of `createTransport`, which is for pages too,
 * but take less CPU time on Node (`createServerCalls`). Throws a `TypeError` if an option is invalid.
 */
export function createServerTransport(options: TransportOptions): Transport {
  checkTransportOptions("sessions()", options);
  return createOperations(createRequestSender(options, createServerCalls(options)));
}
