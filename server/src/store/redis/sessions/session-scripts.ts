import { timeAndCount } from "../../../session/id.ts";
import type { Scope } from "../../../session/permissions.ts";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";

/** Returns the first keys of every script that uses `prelude/session.lua`. */
export function sessionKeys({ keys }: Operation, handle: string): string[] {
  return [keys.session(handle), keys.records(handle)];
}

/** Returns the first arguments of every script that uses `prelude/session.lua`. */
export function sessionArgs({ engine, now }: Operation, handle: string): Argument[] {
  return [now, timeAndCount(handle).createdAt, ...engine.policyArgs];
}

/** Encodes a scope as the function `isWithin` in `prelude/session.lua` expects it. */
export function encodeScope(scope: Scope): string {
  if (scope === "everyone") return "*";
  return scope.customerId === null ? "-" : `=${scope.customerId}`;
}
