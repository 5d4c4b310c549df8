/** The ids that a caller may attach to a session, by their names on the wire. */
export type IdField = "agentId" | "customerId" | "visitId" | "globalVisitId";

/** Where in a request a fault lies. */
export interface Fault {
  readonly in: "body" | "header" | "query";
  readonly name: string;
  readonly detail: string;
}

/** What a caller may have no more of: so many in so many seconds, or, `null`, at a time. */
export interface Quota {
  readonly name: string;
  readonly count: number;
  readonly windowSeconds: number | null;
}

/** Why a request is refused: the closed set of codes, each with what its answer needs besides. */
export type Reason =
  | { readonly code: "already-exists"; readonly field: IdField }
  | { readonly code: "invalid-request"; readonly errors: readonly Fault[] }
  | { readonly code: "nothing-to-associate" }
  /** `isNew`: the path had the word `new` instead of an id. */
  | { readonly code: "session-not-found"; readonly isNew?: true }
  | { readonly code: "session-required" }
  | { readonly code: "request-under-way"; readonly retryAfterSeconds: number }
  | { readonly code: "idempotency-key-reused" }
  | { readonly code: "not-found" }
  | { readonly code: "method-not-allowed"; readonly allow: string }
  | { readonly code: "body-too-large"; readonly limit: number }
  | {
      readonly code: "unsupported-media-type";
      /** What is wrong with the body: its type, its charset, or its content coding. */
      readonly refused: "type" | "charset" | "encoding";
    }
  | { readonly code: "request-timeout" }
  | { readonly code: "credential-required" }
  | { readonly code: "invalid-credential" }
  | { readonly code: "identity-mismatch"; readonly field: IdField }
  | { readonly code: "role-not-permitted" }
  | {
      readonly code: "too-many-requests";
      readonly retryAfterSeconds: number;
      readonly quota: Quota;
    }
  | {
      readonly code: "unavailable";
      readonly retryAfterSeconds: number;
      readonly outcome?: "unknown";
      /** The files of the data were moved or replaced while the service ran: it has to be restarted. */
      readonly why?: "data-displaced";
    };

/**
 * The one error class: a request that is refused. Absence is a value and misuse a `TypeError`;
 * anything else that is thrown is a defect. `http/app/problems.ts` alone turns reasons into responses.
 */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly reason: Reason;

  /** `cause` is for the log; it never reaches the caller. */
  constructor(reason: Reason, cause?: unknown) {
    super(reason.code, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}
