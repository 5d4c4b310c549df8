/** Where commands print: results to stdout, everything else to stderr. */
export interface Output {
  /** A result, with a line end. */
  print(text: string): void;
  /** A result for a program: one JSON value, indented. */
  printJson(value: unknown): void;
  /** A remark for whoever sits there; never part of the result. */
  remark(text: string): void;
}

/** The output of this process. */
export const processOutput: Output = {
  print: (text) => void process.stdout.write(`${text}\n`),
  printJson: (value) => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
  remark: (text) => void process.stderr.write(`${text}\n`),
};

/** Rows with their cells in columns, two blanks apart; the first row holds the headings. */
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

/** A time for people and programs alike: ISO 8601, UTC; "-" for none. */
export function timeText(milliseconds: number | null): string {
  return milliseconds === null ? "-" : new Date(milliseconds).toISOString();
}

/** The same for JSON: `null` for none. */
export function timeJson(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

/** Bytes with a unit of powers of 1024, such as `1.5 MiB`. */
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

/**
 * Text of a caller, safe for a terminal: customers choose their ids, and an escape sequence in one
 * is not to reach the operator's screen.
 */
export function terminalSafe(text: string | null): string {
  return text === null ? "-" : text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");
}
