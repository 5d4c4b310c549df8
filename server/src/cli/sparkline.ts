/** The characters of a chart, from the lowest value to the highest. */
const blocks = { unicode: "▁▂▃▄▅▆▇█", ascii: "_.-=+*#%" } as const;
export type Characters = keyof typeof blocks;

/**
 * Draws values as a line of characters, at most `width`; several steps share a character if there are more. A character
 * stands for the mean of its steps, from 0 to the highest mean; a space stands for steps without a value.
 */
export function sparkline(values: readonly (number | null)[], width: number, characters: Characters): string {
  const means = meansOf(values, width);
  const highest = Math.max(0, ...means.filter((mean) => mean !== null));
  const levels = blocks[characters];
  return means
    .map((mean) => {
      if (mean === null) return " ";
      const level = highest === 0 ? 0 : Math.ceil((mean / highest) * (levels.length - 1));
      return levels[level] ?? " ";
    })
    .join("");
}

function meansOf(values: readonly (number | null)[], width: number): (number | null)[] {
  const count = Math.min(values.length, width);
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * values.length) / count);
    const to = Math.floor(((i + 1) * values.length) / count);
    return meanOf(values.slice(from, to));
  });
}

/** Returns the mean of the values that are not `null`; `null` if there is none. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const given = values.filter((value) => value !== null);
  return given.length === 0 ? null : given.reduce((sum, value) => sum + value, 0) / given.length;
}

/** Returns whether a terminal with these variables shows block characters. */
export function charactersOf(env: Readonly<Record<string, string | undefined>>): Characters {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  const isPlain = env["TERM"] === "dumb" || env["TERM"] === "linux";
  return /utf-?8/i.test(locale) && !isPlain ? "unicode" : "ascii";
}
