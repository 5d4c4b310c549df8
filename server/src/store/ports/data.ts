import type { DataChange, Preconditions } from "../../session/data.ts";
import type { Scope } from "../../session/permissions.ts";
import type { Session } from "../../session/session.ts";

/** Port: session data (contract.md#data). The engine removes them when the session ends, and soon after it has expired. */
export interface DataStore {
  /**
   * Returns the session that `SessionStore.getCached` returns, with its data, if the data are in memory too; `undefined`
   * otherwise. The object stands for this state of both: it is never returned again once one of them has changed. So callers
   * can cache what they make of both under this object.
   */
  getCachedWithData(id: string): SessionWithData | undefined;

  /**
   * Returns the session that `SessionStore.find` returns, with its data at the same moment. Both arguments are those of
   * `find`. Returns a promise only if it has to wait.
   */
  findWithData(handle: string, id?: string): SessionWithData | Promise<SessionWithData>;

  /**
   * Changes the data of a stored or implicit session in one atomic step, and renews it if that is due. An implicit session
   * is stored (contract.md#rule-8). If the result is not `changed`, nothing was changed. A change that leaves the data as
   * they are stores at most the renewal.
   */
  changeData(request: DataRequest): Promise<DataResult>;
}

/** A session, live or not, and its data as JSON text. They count only as long as it is live. */
export interface SessionWithData {
  readonly session: Session;
  readonly data: string;
}

/** A request to change the data of a session. */
export interface DataRequest {
  readonly handle: string;
  /** The generation of the caller's id; the session must have it. Without it any generation is changed. */
  readonly generation?: number;
  readonly scope: Scope;
  readonly change: DataChange;
  readonly preconditions: Preconditions;
  /** Unix ms. */
  readonly now: number;
}

/** Result of changing data. */
export type DataResult =
  /** `session` is the session if the change has stored or renewed it, otherwise `null`. */
  | { readonly outcome: "changed"; readonly session: Session | null; readonly json: string }
  | { readonly outcome: "precondition-failed" | "too-large" }
  /** There is no live session of this handle and generation within the scope. */
  | { readonly outcome: "absent" };
