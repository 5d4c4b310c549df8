import type { IdField } from "./fields.ts";
import type { Identity, Session } from "./session.ts";

/** The five roles (contract.md#roles). */
export const roles = ["customer", "agent", "service", "reporter", "administrator"] as const;
export type Role = (typeof roles)[number];

/** The roles that may record requests and end sessions. A reporter may only read. */
export const recordingRoles: readonly Role[] = ["customer", "agent", "service", "administrator"];

/** The access of the role `customer` to session data (setting `customerData`). */
export type CustomerDataAccess = "change" | "read" | "none";

/** Returns the roles that may read and that may change session data. */
export function dataRolesOf(customers: CustomerDataAccess) {
  const allowed = (all: readonly Role[], isAllowed: boolean): readonly Role[] =>
    isAllowed ? all : all.filter((role) => role !== "customer");
  return {
    reading: allowed(roles, customers !== "none"),
    changing: allowed(recordingRoles, customers === "change"),
  } as const;
}

/** The roles that may read the metrics of the service. */
export const monitoringRoles: readonly Role[] = ["reporter", "administrator"];

/** The roles that may read the stream of events. */
export const eventRoles: readonly Role[] = ["service", "reporter", "administrator"];

/** The roles that may sign in to the console. */
export const consoleRoles: readonly Role[] = ["agent", "service", "reporter", "administrator"];

/** The roles that may create view tokens. */
export const viewTokenRoles: readonly Role[] = ["service", "administrator"];

/** The roles that may export and erase customers, and read the audit trail. */
export const adminRoles: readonly Role[] = ["administrator"];

/** The authenticated caller of a request. */
export interface Principal {
  readonly role: Role;
  /** The customer of a customer's credential; `null` for the credential of a public page, and for other roles. */
  readonly customerId: string | null;
  /** The agent of an agent's credential, else `null`. */
  readonly agentId: string | null;
  /**
   * Set for a view token, which only reads timelines and lists: of the session with this handle, or, if it is `null`, of
   * the sessions of `customerId`.
   */
  readonly view?: { readonly handle: string | null };
}

/** Returns whether the ids fit the role: only `customer` may have a `customerId`, only `agent` an `agentId`. */
export function isConsistent({ role, customerId, agentId }: Principal): boolean {
  return (customerId === null || role === "customer") && (agentId === null || role === "agent");
}

/**
 * The sessions that a request reaches (contract.md#reach): all sessions (`everyone`), or the sessions of one customer
 * and those without a customer. If `customerId` is `null`, only those without a customer. A session outside of the
 * scope is treated as unknown (contract.md#rule-4).
 */
export type Scope = "everyone" | { readonly customerId: string | null };

/** Returns whether a session of the customer `owner` (`null`: without a customer) is within `scope`. */
export function isWithin(owner: string | null, scope: Scope): boolean {
  return owner === null || scope === "everyone" || scope.customerId === owner;
}

/** Returns whether a session is within `scope` and, unless it is `undefined`, has this generation. */
export function isReached(session: Session, generation: number | undefined, scope: Scope): boolean {
  return (generation === undefined || session.generation === generation) && isWithin(session.customerId, scope);
}

/**
 * The sessions that a principal may list, and name by their handles (contract.md#handles): all (`everyone`), those of
 * one customer, or none. Unlike a scope, it excludes the sessions without a customer: to reach one of these takes its id.
 */
export type Findable = "everyone" | "none" | { readonly customerId: string };

/** Returns the sessions that `principal` may find. The credential of a public page finds none. */
export function findableBy({ role, customerId }: Principal): Findable {
  if (role !== "customer") return "everyone";
  return customerId === null ? "none" : { customerId };
}

/** Returns whether a session may be found. */
export function isFindable({ customerId }: Pick<Session, "customerId">, findable: Findable): boolean {
  return findable === "everyone" || (findable !== "none" && findable.customerId === customerId);
}

/** Returns the sessions that `principal` may retrieve in a request that names the customer `named`. */
export function readScope(principal: Principal, named: string | null): Scope {
  if (principal.role === "customer") return { customerId: principal.customerId };
  return named === null ? "everyone" : { customerId: named };
}

/**
 * Returns the sessions that `principal` may change in a request that names the customer `named`. Reporters may only read
 * sessions of customers.
 */
export function changeScope(principal: Principal, named: string | null = null): Scope {
  switch (principal.role) {
    case "customer":
      return { customerId: principal.customerId };
    case "reporter":
      return { customerId: null };
    default:
      return named === null ? "everyone" : { customerId: named };
  }
}

/** Returns whether `principal` may rotate the id of a session that it may update (contract.md#rule-9). */
export function mayRotate({ role }: Pick<Principal, "role">): boolean {
  return role !== "reporter";
}

/** Returns whether `principal` may end all sessions in one request. */
export function mayEndAll({ role }: Pick<Principal, "role">): boolean {
  return role === "administrator";
}

/**
 * Returns the name of the first id that `principal` may not assert, or `undefined` if every id is allowed
 * (contract.md#assertions). Everybody may assert the ids of a visit, because these do not identify a person.
 */
export function forbiddenAssertion(principal: Principal, ids: Identity): IdField | undefined {
  if (ids.agentId !== null && !mayAssertAgent(principal, ids.agentId)) return "agentId";
  if (ids.customerId !== null && !mayAssertCustomer(principal, ids.customerId)) return "customerId";
  return undefined;
}

function mayAssertAgent(principal: Principal, agentId: string): boolean {
  switch (principal.role) {
    case "administrator":
    case "service":
      return true;
    case "agent":
      return principal.agentId === agentId;
    default:
      return false;
  }
}

function mayAssertCustomer(principal: Principal, customerId: string): boolean {
  switch (principal.role) {
    case "administrator":
    case "service":
    case "agent":
      return true;
    case "customer":
      return principal.customerId === customerId;
    default:
      return false;
  }
}
