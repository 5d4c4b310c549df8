import type { Scope } from "../../src/session/permissions.ts";
import type { Known } from "./known.ts";
import type { Reply, Request } from "./model.ts";

/*
 * A model of session data (contract.md#data). They survive association and rotation, and are gone with the session. The
 * members of the data are texts or `null`, so that a merge is easy to check by reading.
 */

/** The data that a request sends. In a merge, `null` removes a member; in a replacement it is a value. */
export type Members = Readonly<Record<string, string | null>>;

/** A request about session data. */
export type DataRequest = { readonly id: string; readonly scope: Scope } & (
  | { readonly kind: "read-data" }
  | { readonly kind: "clear-data" }
  | { readonly kind: "merge-data" | "replace-data"; readonly members: Members }
);

/** The data in a response, as JSON text. */
export interface DataReply {
  readonly kind: "data";
  readonly json: string;
}

export const NO_DATA = "{}";

const kinds: readonly string[] = [
  "read-data",
  "merge-data",
  "replace-data",
  "clear-data",
] satisfies DataRequest["kind"][];

export function isDataRequest(request: Request): request is DataRequest {
  return kinds.includes(request.kind);
}

/** Returns what is known of a live session after the request; `undefined` if the response shows other data. */
export function explainData(known: Known, request: DataRequest, reply: Reply): Known | undefined {
  const data = dataAfter(known.data, request);
  return reply.kind === "data" && sorted(JSON.parse(reply.json) as Members) === data ? { ...known, data } : undefined;
}

function dataAfter(data: string, request: DataRequest): string {
  switch (request.kind) {
    case "read-data":
      return data;
    case "clear-data":
      return NO_DATA;
    case "replace-data":
      return sorted(request.members);
    case "merge-data": {
      const merged = Object.entries({ ...(JSON.parse(data) as Members), ...request.members });
      return sorted(Object.fromEntries(merged.filter(([name]) => request.members[name] !== null)));
    }
  }
}

function sorted(members: Members): string {
  return JSON.stringify(Object.fromEntries(Object.entries(members).toSorted(([a], [b]) => (a < b ? -1 : 1))));
}
