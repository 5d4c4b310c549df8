import type { SendRequest } from "./call.ts";
import { createSessionOperations, isSession, pathOf } from "./session-operations.ts";
import type { Transport } from "./transport.ts";

/** Creates all operations. The options of the calls must already be checked. */
export function createOperations(call: SendRequest): Transport {
  const operations = createSessionOperations(call);
  return {
    ...operations,
    record: (sessionId, records, { durable, provisional, ...given } = {}) =>
      operations.record(
        sessionId,
        records,
        given,
        durable ? "?durable=true" : provisional ? "?provisional=true" : undefined,
      ),
    retrieveWithData: (sessionId, ids, given) =>
      call({ ...given, method: "GET", path: `${pathOf(sessionId)}?include=data`, isExpected: isSession, ids }),
    clearData: (name, given) => call({ ...given, method: "DELETE", path: `${pathOf(name)}/data` }),
  };
}
