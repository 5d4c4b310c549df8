/** Output of commands: results go to stdout, everything else to stderr. */
export interface Output {
  /** Prints a result, followed by a line break. */
  print(text: string): void;
  /** Prints a result for other programs, as one indented JSON value. */
  printJson(value: unknown): void;
  /** Prints a remark for people. It is not part of the result. */
  remark(text: string): void;
  /** True if results may have colours: they go to a terminal, and NO_COLOR is not set (no-color.org). */
  readonly isColoured: boolean;
}

/** Creates an output that writes results with `out` and everything else with `err`. */
export function createOutput(out: (text: string) => void, err: (text: string) => void, isColoured: boolean): Output {
  return {
    print: (text) => out(`${text}\n`),
    printJson: (value) => out(`${jsonText(value, 2)}\n`),
    remark: (text) => err(`${text}\n`),
    isColoured,
  };
}

/** Prints to stdout and stderr of this process. */
export const processOutput = createOutput(
  (text) => void process.stdout.write(text),
  (text) => void process.stderr.write(text),
  process.stdout.isTTY && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
);

/** Formats rows as aligned columns, separated by two spaces. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Formats a time (Unix ms) as ISO 8601 in UTC; "-" for `null`. */
export function timeText(milliseconds: number | null): string {
  return milliseconds === null ? "-" : new Date(milliseconds).toISOString();
}

/** Formats a time (Unix ms) for JSON output, as ISO 8601 in UTC. */
export function timeJson(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

/** Formats a number of bytes, such as `1.5 MiB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Returns JSON text for a result. `indent` is the number of spaces of each level; without it the text is one line. */
export function jsonText(value: unknown, indent?: number): string {
  return terminalSafeJson(JSON.stringify(value, null, indent));
}

/**
 * Escapes the characters in a JSON text that could take control of a terminal, and that JSON allows unescaped. The value
 * stays the same.
 */
export function terminalSafeJson(json: string): string {
  return json.replaceAll(/[\u007F-\u009F\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    // A character outside of the basic plane has two code units, and so two escapes.
    const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  });
}

/** Replaces control characters: an id that a customer chose could take control of the operator's terminal. */
export function terminalSafe(text: string | null): string {
  return text === null ? "-" : text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");
}
