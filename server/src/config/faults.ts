import leven from "leven";

/** A fault in a configuration. */
export interface ConfigFault {
  /** Where the faulty value was set: `--port`, `ANTECHAMBER_PORT`, `port in /etc/antechamber.json`. */
  readonly from: string;
  /** A sentence that says what is wrong and what is allowed, without a full stop. */
  readonly message: string;
}

/** An error with all faults of a configuration, so that they can be corrected together. */
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

/** Replaces the user and password in every URL in `text` by `***`, even if a password is not properly encoded. */
export function masked(text: string): string {
  return (
    text
      .replaceAll(/([a-z][a-z\d+.-]{0,30}:\/\/)[^/?#\s]*@/gi, "$1***@")
      .replaceAll(/(rediss?(?:\+\w{1,10})?:\/\/)[^"]{0,500}@/gi, "$1***@")
      // The next two mask text that looks like a URL without "//", and a store's URL without "@".
      .replaceAll(/(?<=^|["\s])[^\s"@/]{0,100}:[^\s"@/]{0,500}@/g, "***@")
      .replaceAll(/(rediss?(?:\+\w{1,10})?:\/\/)[^\s"@,/:[]{1,100}:[^\s"@,/:]{0,500}:[^\s"]*/gi, "$1***")
  );
}

/**
 * Returns " (did you mean X?)" with the most similar name in `known`, or "" if none is similar. Ignores case. Every name
 * begins with `prefix`, which does not count as similar.
 */
export function suggestion(name: string, known: readonly string[], prefix = ""): string {
  const rest = (text: string) => text.slice(prefix.length).toLowerCase();
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: leven(rest(name), rest(candidate)) }))
    .filter(({ candidate, distance }) => distance <= Math.max(2, rest(candidate).length / 4))
    .toSorted((a, b) => a.distance - b.distance);
  return nearest === undefined ? "" : ` (did you mean ${nearest.candidate}?)`;
}
