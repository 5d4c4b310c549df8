import type { Operation, SequentialModel } from "./search.ts";

/** An operation on a visit. It is derived from a response, or from its absence. */
export interface VisitOperation extends Operation {
  readonly event: /** The session was given the visit. */
    | "taken"
    /** The session was returned with the visit: it is live and holds it. */
    | "held"
    /** Another session holds the visit. */
    | "refused"
    /** The session ended. */
    | "ended"
    /** The session had ended or expired. */
    | "absent";
  /** The session; unknown for a create without a response. */
  readonly session: string;
}

/** The session that holds the visit; `null` if none does. */
type Holder = string | null;

/** Model of one visit: only one live session holds it (contract.md#rule-2), and it is free when that session ends. */
export const visitModel: SequentialModel<Holder, VisitOperation> = {
  initial: null,
  step(holder, { event, session }) {
    switch (event) {
      case "taken":
        return holder === null || holder === session ? [session] : [];
      case "held":
        return holder === session ? [holder] : [];
      case "refused":
        return holder !== null && holder !== session ? [holder] : [];
      case "ended":
        return [holder === session ? null : holder];
      case "absent":
        return holder === session ? [] : [holder];
    }
  },
  key: (holder) => holder ?? "",
};
