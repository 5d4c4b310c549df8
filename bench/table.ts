/** Formats a Markdown table. All columns except the first are aligned to the right. */
export function table(columns: string[], rows: string[][]): string {
  const rule = columns.map((_, index) => (index === 0 ? "---" : "---:"));
  return [columns, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Formats a number with `decimals` decimals; `undefined` becomes a dash. */
export function number(value: number | undefined, decimals: number): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  return value.toLocaleString("en", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}
