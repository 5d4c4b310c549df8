/**
 * Throws a `TypeError` unless `options` is an object with only names from `known`. The message contains the call, such
 * as `sessions()`, the unknown name, and the most similar known name.
 */
export function checkOptionNames(call: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new TypeError(`${call} takes an object of options: ${known.join(", ")}`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`${call} has no option ${name}: ${suggestion(name, known)}`);
  }
}

/** Throws a `TypeError` unless `value` is one of `allowed`. */
export function checkChoice(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === "string" && allowed.includes(value)) return;
  throw new TypeError(`${name} cannot be ${shown(value)}: ${suggestion(String(value), allowed)}`);
}

/** Formats a value for an error message, with at most 100 characters. */
export function shown(value: unknown): string {
  return (typeof value === "string" ? JSON.stringify(value) : String(value)).slice(0, 100);
}

function suggestion(name: string, known: readonly string[]): string {
  const [nearest] = known
    .map((each) => ({ each, distance: distanceOf(name.toLowerCase(), each.toLowerCase()) }))
    .filter(({ each, distance }) => distance <= Math.max(2, each.length / 3))
    .toSorted((a, b) => a.distance - b.distance);
  return nearest === undefined ? `choose from ${known.join(", ")}` : `did you mean ${nearest.each}?`;
}

/** Returns how many characters must be inserted, deleted or replaced to turn one text into the other (Levenshtein). */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
