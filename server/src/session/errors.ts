import type { IdField } from "./fields.ts";
import type { Role } from "./permissions.ts";

/** A fault of a request, and where it is. */
export interface Fault {
  readonly in: "body" | "header" | "path" | "query";
  readonly name: string;
  readonly detail: string;
}

/** The exceeded limit: at most `count` in `windowSeconds`, or at the same time if that is `null`. */
export interface Quota {
  readonly name: string;
  readonly count: number;
  readonly windowSeconds: number | null;
}

/** The reason for refusing a request: one of these codes, with the data that its response needs. */
export type Reason =
  | { readonly code: "already-exists"; readonly field: IdField }
  | { readonly code: "invalid-request"; readonly errors: readonly Fault[] }
  | { readonly code: "nothing-to-associate" }
  | { readonly code: "rotation-limit" }
  /** `isNew`: the path has the word `new` instead of an id. `isStored`: expired and ended sessions would be found too. */
  | { readonly code: "session-not-found"; readonly isNew?: true; readonly isStored?: true }
  | { readonly code: "session-required" }
  | { readonly code: "request-under-way"; readonly retryAfterSeconds: number }
  | { readonly code: "idempotency-key-reused" }
  /** `what`: the thing that the path names, if only that does not exist. */
  | { readonly code: "not-found"; readonly what?: "webhook" | "api-key" }
  | { readonly code: "method-not-allowed"; readonly allow: string }
  | { readonly code: "precondition-failed" }
  /** `what` names what would be too large once stored; without it, the body of the request is too large. */
  | { readonly code: "body-too-large"; readonly limit: number; readonly what?: "data" }
  | {
      readonly code: "unsupported-media-type";
      /** The unsupported part: the body's content type, its charset, its content coding, or its kind of patch. */
      readonly refused: "type" | "charset" | "encoding" | "patch";
    }
  | { readonly code: "request-timeout" }
  | { readonly code: "credential-required" }
  | { readonly code: "invalid-credential" }
  | { readonly code: "identity-mismatch"; readonly field: IdField }
  /** `allowed`: the roles that may do it, if that depends on the role alone. */
  | { readonly code: "role-not-permitted"; readonly allowed?: readonly Role[] }
  | {
      readonly code: "too-many-requests";
      readonly retryAfterSeconds: number;
      readonly quota: Quota;
    }
  | {
      readonly code: "unavailable";
      readonly retryAfterSeconds: number;
      readonly outcome?: "unknown";
      /**
       * `data-displaced`: the data files were moved or replaced while the service ran, so it has to be restarted.
       * `index-repair`: some sessions cannot be found until lost index entries are written again.
       */
      readonly why?: "data-displaced" | "index-repair";
    };

/**
 * The refusal of a request. Misuse of a function throws `TypeError`; an object that does not exist is not an error.
 * Everything else that is thrown while a request is handled is treated as a defect. `http/problems.ts` turns reasons
 * into responses.
 */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly reason: Reason;

  /**
   * `cause` is logged, and never sent to the caller. `unavailable` needs one, because it is for the operator to end it: an
   * error whose message says what is wrong.
   */
  constructor(reason: Exclude<Reason, { readonly code: "unavailable" }>, cause?: unknown);
  constructor(reason: Reason, cause: unknown);
  constructor(reason: Reason, cause?: unknown) {
    super(reason.code, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

/**
 * Returns the refusal `unavailable` with an unknown outcome, because earlier steps of the same request have changed
 * something. Returns every other error unchanged.
 */
export function withUnknownOutcome(error: unknown): unknown {
  if (!(error instanceof Refusal) || error.reason.code !== "unavailable") return error;
  return new Refusal({ ...error.reason, outcome: "unknown" }, error.cause);
}
