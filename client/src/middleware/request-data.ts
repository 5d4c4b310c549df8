import { ProblemError } from "../problem-error.ts";
import type { MergePatch, SessionData } from "../protocol.ts";
import type { DataOptions, Transport } from "../transport.ts";

/** The members of a `RequestSession` for its data. */
export interface SessionDataCalls<Data extends object> {
  /**
   * The data that applications share in the session (contract.md#data), as they were when the request arrived, or after
   * the last `update` or `replace` of this request. They are frozen: `update` changes them. Only with the option `data`;
   * without it, reading them throws a `TypeError`.
   */
  readonly data: Data;
  /**
   * Merges members into the session's data: `null` removes a member, objects are merged, other values are replaced.
   * Requests at the same time that change different members do not undo each other. A function gets the present data, and
   * is called again if they change before its result is stored.
   *
   * Resolves with `true` if the data are stored. Resolves with `false` if Antechamber is unavailable or does not respond
   * in time; then it is unknown whether they are stored. Rejects with a `ProblemError` for every refusal, such as
   * `body-too-large`, and `session-not-found` if the session has ended or another request has given it a new id.
   *
   * @example
   * await session.update({ cart: { [sku]: 2 }, locale: null });
   * await session.update((data) => ({ visits: (data.visits ?? 0) + 1 }));
   */
  update(change: MergePatch<Data> | ((data: Data) => MergePatch<Data>), options?: DataOptions): Promise<boolean>;
  /** Replaces the session's data. Resolves and rejects as `update` does. */
  replace(data: Data, options?: DataOptions): Promise<boolean>;
}

/** The operations of the service on data. */
export type DataTransport = Pick<Transport, "readData" | "mergeData" | "replaceData">;

/** Maximum number of attempts to store the result of a function. Each fails only because another one has succeeded. */
const MAX_ATTEMPTS = 10;

type Change = SessionData | ((data: SessionData) => SessionData);

/** Creates the functions that change data. `idOf` returns the present id of the session, or throws. */
export function createDataCalls(transport: DataTransport, idOf: () => string) {
  async function mergeResult(change: (data: SessionData) => SessionData, options?: DataOptions): Promise<SessionData> {
    for (let attempt = 1; ; attempt++) {
      const { data, etag } = await transport.readData(idOf(), options);
      try {
        return (await transport.mergeData(idOf(), change(frozen(data)), { ...options, ifMatch: etag })).data;
      } catch (error) {
        const isOutdated = error instanceof ProblemError && error.code === "precondition-failed";
        if (!isOutdated || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  return {
    async merge(change: Change, options?: DataOptions): Promise<SessionData> {
      if (typeof change === "function") return await mergeResult(change, options);
      return (await transport.mergeData(idOf(), change, options)).data;
    },
    async replace(data: SessionData, options?: DataOptions): Promise<SessionData> {
      return (await transport.replaceData(idOf(), data, options)).data;
    },
  };
}

/** Freezes a JSON value and everything in it, so that a change, which would not be stored, throws. */
export function frozen<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}
