/** One thing that is wrong with a configuration. */
export interface ConfigFault {
  /** Where it was written: `--port`, `ANTECHAMBER_PORT`, `port in /etc/antechamber.json`. */
  readonly from: string;
  /** What is wrong and what is allowed; a whole sentence without a full stop. */
  readonly message: string;
}

/** A configuration with faults: all of them, so that one look mends them at once. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ from, message }) => `  ${from}: ${message}`);
    const title = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
    super([`the configuration has ${title}:`, ...lines].join("\n"));
    this.faults = faults;
  }
}

/**
 * `text` with the user and password of every URL in it replaced by `***`; in one of a store also where
 * they are not properly encoded, as one that is refused is shown.
 */
export function masked(text: string): string {
  return (
    text
      .replaceAll(/([a-z][a-z\d+.-]{0,30}:\/\/)[^/?#\s]*@/gi, "$1***@")
      .replaceAll(/(rediss?(?:\+\w{1,10})?:\/\/)[^"]{0,500}@/gi, "$1***@")
      // Without the slashes, or without the @.
      .replaceAll(/(?<=^|["\s])[^\s"@/]{0,100}:[^\s"@/]{0,500}@/g, "***@")
      .replaceAll(
        /(rediss?(?:\+\w{1,10})?:\/\/)[^\s"@,/:[]{1,100}:[^\s"@,/:]{0,500}:[^\s"]*/gi,
        "$1***",
      )
  );
}

/** " (did you mean X?)" when one of `known` is close to `name`, else nothing. */
export function suggestion(name: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .filter(({ candidate, distance }) => distance <= Math.max(2, candidate.length / 4))
    .toSorted((a, b) => a.distance - b.distance);
  return nearest === undefined ? "" : ` (did you mean ${nearest.candidate}?)`;
}

/** How many letters must be put in, left out or replaced (Levenshtein), upper or lower case alike. */
function editDistance(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
