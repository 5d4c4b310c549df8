import type { Fault } from "../../session/errors.ts";

export const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

/** The end of a sentence about an invalid `limit`. */
export const limitFault = `is not a whole number of 1 to ${MAX_LIMIT}`;

/** Returns the page size in a text, or `undefined` if it is invalid. */
export function parseLimit(text: unknown): number | undefined {
  const limit = typeof text === "string" && /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= MAX_LIMIT ? limit : undefined;
}

/** Returns the parameter `limit`, or the default without one. Appends to `faults` if it is invalid. */
export function limitOf(parameters: URLSearchParams, faults: Fault[]): number {
  const text = parameters.get("limit");
  const limit = text === null ? DEFAULT_LIMIT : parseLimit(text);
  if (limit === undefined) {
    faults.push({ in: "query", name: "limit", detail: `limit ${limitFault}.` });
  }
  return limit ?? DEFAULT_LIMIT;
}

/**
 * Appends a fault to `faults` for each parameter that is unknown, because a misspelt filter would show everything, or that
 * is given twice. A name is cut, because it may be the id of a session.
 */
export function checkParameterNames(parameters: URLSearchParams, known: readonly string[], faults: Fault[]): void {
  for (const name of new Set(parameters.keys())) {
    const detail = !known.includes(name)
      ? `This parameter is unknown. The parameters are ${known.join(", ")}.`
      : parameters.getAll(name).length > 1 && `${name} is given twice.`;
    if (detail) faults.push({ in: "query", name: name.slice(0, 32), detail });
  }
}
