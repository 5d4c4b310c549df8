import type { IdField } from "./errors.ts";
import type { Identity } from "./session.ts";

/** The four roles (contract.md#roles). */
export const roles = ["customer", "agent", "reporter", "administrator"] as const;
export type Role = (typeof roles)[number];

/** The roles that may record requests: a reporter reads. */
export const recordingRoles = [
  "customer",
  "agent",
  "administrator",
] as const satisfies readonly Role[];

/** The roles that may look at the service itself. */
export const monitoringRoles = ["reporter", "administrator"] as const satisfies readonly Role[];

/** The roles that may find sessions of anybody: a customer knows its own. */
export const findingRoles = [
  "agent",
  "reporter",
  "administrator",
] as const satisfies readonly Role[];

/** The roles that may end many sessions at a time, whosever they are. */
export const endingRoles = ["agent", "administrator"] as const satisfies readonly Role[];

/** The roles to which everything about a customer and the audit trail are open. */
export const adminRoles = ["administrator"] as const satisfies readonly Role[];

/** Whoever makes a request, as far as the service knows. */
export interface Principal {
  readonly role: Role;
  /** The one customer that a customer's credential stands for; `null`: a public page's credential. */
  readonly customerId: string | null;
  /** The one agent that an agent's credential stands for. */
  readonly agentId: string | null;
}

/** Whether a credential may say so: only a customer stands for a customer, and an agent for an agent. */
export function isConsistent({ role, customerId, agentId }: Principal): boolean {
  return (customerId === null || role === "customer") && (agentId === null || role === "agent");
}

/**
 * The sessions that a request reaches (contract.md#reach): those of `everyone`, or of one customer and those without a
 * customer. Outside the scope a session is treated as unknown (contract.md#rule-4).
 */
export type Scope = "everyone" | { readonly customerId: string | null };

/** Whether a session of `owner` (`null`: nobody's) lies within `scope`. */
export function isWithin(owner: string | null, scope: Scope): boolean {
  return owner === null || scope === "everyone" || scope.customerId === owner;
}

/** Whose sessions `principal` may retrieve in a request that names `named` as its customer. */
export function readScope(principal: Principal, named: string | null): Scope {
  if (principal.role === "customer") return { customerId: principal.customerId };
  return named === null ? "everyone" : { customerId: named };
}

/** Whose sessions `principal` may update. Reporters read what belongs to a customer, no more. */
export function changeScope(principal: Principal): Scope {
  switch (principal.role) {
    case "customer":
      return { customerId: principal.customerId };
    case "reporter":
      return { customerId: null };
    default:
      return "everyone";
  }
}

/** Whether `principal` may end every session there is, in one request. */
export function mayEndAll({ role }: Pick<Principal, "role">): boolean {
  return role === "administrator";
}

/**
 * Returns the first id that `principal` may not assert, or `undefined` (contract.md#assertions). Everybody may give the
 * ids of a visit, which say nothing about who somebody is.
 */
export function forbiddenAssertion(principal: Principal, ids: Identity): IdField | undefined {
  if (ids.agentId !== null && !mayAssertAgent(principal, ids.agentId)) return "agentId";
  if (ids.customerId !== null && !mayAssertCustomer(principal, ids.customerId)) return "customerId";
  return undefined;
}

function mayAssertAgent(principal: Principal, agentId: string): boolean {
  if (principal.role === "administrator") return true;
  return principal.role === "agent" && principal.agentId === agentId;
}

function mayAssertCustomer(principal: Principal, customerId: string): boolean {
  switch (principal.role) {
    case "administrator":
    case "agent":
      return true;
    case "customer":
      return principal.customerId === customerId;
    default:
      return false;
  }
}
