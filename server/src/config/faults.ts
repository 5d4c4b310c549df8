import leven from "leven";

/** A fault of a configuration. */
export interface ConfigFault {
  /** The place of the value: `--port`, `ANTECHAMBER_PORT`, `port in /etc/antechamber.json`. */
  readonly from: string;
  /** A sentence about what is wrong and what is allowed, without a full stop. */
  readonly message: string;
}

/** All faults of a configuration, so that they can be corrected at once. */
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
 * Replaces user and password in every URL in `text` by `***`; in a store's URL also if they are not properly
 * encoded, because messages show URLs that are refused.
 */
export function masked(text: string): string {
  return (
    text
      .replaceAll(/([a-z][a-z\d+.-]{0,30}:\/\/)[^/?#\s]*@/gi, "$1***@")
      .replaceAll(/(rediss?(?:\+\w{1,10})?:\/\/)[^"]{0,500}@/gi, "$1***@")
      // URLs without the slashes, or without the @.
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
