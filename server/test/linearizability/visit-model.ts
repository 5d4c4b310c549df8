import type { Operation, SequentialModel } from "./search.ts";

/** What an answer, or the lack of one, tells of a visit. */
export interface VisitOperation extends Operation {
  readonly tells: /** The session was given the visit. */
    | "taken"
    /** The session was shown with the visit: it is live and holds it. */
    | "held"
    /** Another session holds the visit. */
    | "refused"
    /** The session ended. */
    | "ended"
    /** The session was over. */
    | "absent";
  /** The session; of a creation that was not answered nobody knows which. */
  readonly session: string;
}

/** Who has the visit: a session, or nobody. */
type Holder = string | null;

/** One visit: it has one live session (contract.md#rule-2), and is free when that ends. */
export const visitModel: SequentialModel<Holder, VisitOperation> = {
  initial: null,
  step(holder, { tells, session }) {
    switch (tells) {
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
