/** A value that JSON can express. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** Stands for a member that was removed. */
const REMOVED = Symbol("removed");

/** The members that differ between two objects. A `Changes` as a value: this member is an object in both. */
export type Changes = ReadonlyMap<string, Json | typeof REMOVED | Changes>;

/** Returns the members of `after` that differ from `before`. Arrays are compared as a whole. */
export function changesBetween(before: JsonObject, after: JsonObject): Changes {
  const changes = new Map<string, Json | typeof REMOVED | Changes>();
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) changes.set(name, REMOVED);
  }
  for (const [name, value] of Object.entries(after)) {
    const old = Object.hasOwn(before, name) ? before[name] : undefined;
    if (isObject(old) && isObject(value)) {
      const inner = changesBetween(old, value);
      if (inner.size > 0) changes.set(name, inner);
    } else if (old === undefined || !isSame(old, value)) changes.set(name, value);
  }
  return changes;
}

/**
 * Returns the changes as a JSON merge patch (RFC 7396); `undefined` if they contain a new `null`, which in such a patch
 * means that a member is removed.
 */
export function mergePatchOf(changes: Changes): JsonObject | undefined {
  const patch: [name: string, value: Json][] = [];
  for (const [name, change] of changes) {
    const value = change === REMOVED ? null : isChanges(change) ? mergePatchOf(change) : change;
    if (value === undefined || (change !== REMOVED && !isChanges(change) && containsNull(change))) return undefined;
    patch.push([name, value]);
  }
  // Unlike an assignment, this makes a member of "__proto__" too.
  return Object.fromEntries(patch);
}

/** Returns `data` with the changes. Other members stay as they are. */
export function applyChanges(data: JsonObject, changes: Changes): JsonObject {
  const members = new Map(Object.entries(data));
  for (const [name, change] of changes) {
    if (change === REMOVED) members.delete(name);
    else if (isChanges(change)) {
      const old = members.get(name);
      members.set(name, applyChanges(isObject(old) ? old : {}, change));
    } else members.set(name, change);
  }
  return Object.fromEntries(members);
}

/** Returns whether a merge patch cannot store the value: it is `null`, or an object with such a member. */
function containsNull(value: Json): boolean {
  return value === null || (isObject(value) && Object.values(value).some(containsNull));
}

function isSame(one: Json, other: Json): boolean {
  return one === other || (Array.isArray(one) && JSON.stringify(one) === JSON.stringify(other));
}

/** Returns whether a value of JSON is an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isChanges(change: Json | typeof REMOVED | Changes): change is Changes {
  return change instanceof Map;
}
