import type { Session } from "../../session/session.ts";
import type { AssociationRequest, AssociationResult, Creation, Key, Slice } from "../store.ts";

/**
 * What the serving thread asks of the writer thread. Changes travel in groups as JSON text, which
 * both runtimes hand over several times faster than objects; so they are made of JSON's values.
 */
export type Change =
  | { readonly kind: "create"; readonly session: Session; readonly now: number }
  | ({ readonly kind: "associate" } & AssociationRequest)
  | { readonly kind: "renew"; readonly id: string; readonly now: number }
  | { readonly kind: "end"; readonly id: string; readonly now: number }
  | { readonly kind: "touch"; readonly now: number }
  | { readonly kind: "sweep"; readonly now: number }
  | { readonly kind: "addKey"; readonly key: Key }
  | { readonly kind: "revokeKey"; readonly id: string; readonly now: number }
  | { readonly kind: "addSecret"; readonly base64: string; readonly now: number };

/** What came of a change, by its kind. */
export interface Outcomes {
  create: Creation;
  associate: AssociationResult;
  /** The session as it is stored now; `null` when it was over before. */
  renew: Session | null;
  /** The session as it ended; `null` when there was no live one. */
  end: Session | null;
  touch: null;
  sweep: Slice;
  addKey: null;
  revokeKey: boolean;
  addSecret: null;
}

export type Outcome = Outcomes[Change["kind"]];

/** What the writer thread answers to a group. */
export type GroupResult =
  | { readonly kind: "committed"; readonly outcomes: readonly GroupOutcome[] }
  /** Nothing of the group was stored. */
  | { readonly kind: "failed"; readonly message: string }
  /** The commit failed half-way: the group may be found stored after a restart. */
  | { readonly kind: "unknown"; readonly message: string };

/** A change that failed by itself, in a group of which the rest was committed. */
export interface Failure {
  readonly failure: string;
}

export type GroupOutcome = Outcome | Failure;
