import { timeAndCount } from "../../../session/id.ts";
import type { Scope } from "../../../session/permissions.ts";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";

/** Returns the keys that scripts with `prelude/session.lua` begin with. */
export function sessionKeys({ keys }: Operation, id: string): string[] {
  return [keys.session(id), keys.records(id)];
}

/** Returns the arguments that scripts with `prelude/session.lua` begin with. */
export function sessionArgs({ engine, now }: Operation, id: string): Argument[] {
  const { lifetimes, retention } = engine.policy;
  const { anonymous, recognized } = lifetimes;
  return [
    ...[now, timeAndCount(id).createdAt],
    ...[anonymous.idle, anonymous.total, recognized.idle, recognized.total],
    retention,
  ];
}

/** Encodes a scope for `isWithin` of `prelude/session.lua`. */
export function encodeScope(scope: Scope): string {
  if (scope === "everyone") return "*";
  return scope.customerId === null ? "-" : `=${scope.customerId}`;
}
