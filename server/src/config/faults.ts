import leven from "leven";

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

/** Returns " (did you mean X?)" with the nearest of `known`, or "" if none is near. Ignores case. */
export function suggestion(name: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({
      candidate,
      distance: leven(name.toLowerCase(), candidate.toLowerCase()),
    }))
    .filter(({ candidate, distance }) => distance <= Math.max(2, candidate.length / 4))
    .toSorted((a, b) => a.distance - b.distance);
  return nearest === undefined ? "" : ` (did you mean ${nearest.candidate}?)`;
}
