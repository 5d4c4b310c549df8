import { z } from "zod";
import { parseDuration, parseRate } from "./values.ts";

/** The values that a setting accepts, and what the code makes of them. */
export interface Kind {
  /** Reads text (flag, variable) or the file's JSON. Gives a reason where `allowed` does not explain a refusal. */
  readonly schema: z.ZodType;
  /** Completes the sentence "allowed is …". */
  readonly allowed: string;
  /** Stands for the value in `--help`. */
  readonly placeholder: string;
  /** Converts a value into the form that the code uses; without it the value is used as it is. */
  readonly parse?: (value: never) => unknown;
  /** All values, if they are few words: shells complete them. */
  readonly choices?: readonly string[];
  /** A flag that may be repeated, a variable with commas, an array in the file. */
  readonly isList?: true;
  /** A path: a relative one in the file starts at the file's folder. */
  readonly isPath?: true;
  /** A value in milliseconds that is written with a unit. */
  readonly isDuration?: true;
}

/** Text without spaces at its ends. */
export const trimmed = z.string().trim();
/** The same without control characters; it may be empty. */
export const printable = trimmed.regex(/^\P{Cc}*$/u);

/**
 * Returns a schema that also refuses a text for which `check` returns a reason, so that a function which returns
 * either a value or a reason can be used as it is.
 */
export function refusing<Schema extends z.ZodType<string>>(
  schema: Schema,
  check: (text: string) => unknown,
): Schema {
  return schema.superRefine((text, context) => {
    const message = check(text);
    if (typeof message === "string") context.addIssue({ code: "custom", message });
  });
}

/** A duration within limits, in milliseconds; `example` is added to the description. */
export function duration(least: string, most: string, example = "") {
  const [min = 0, max = 0] = [least, most].map(parseDuration);
  return {
    schema: trimmed.transform(parseDuration).pipe(z.number().min(min).max(max)),
    allowed: `a duration of ${least} to ${most}${example}`,
    placeholder: "duration",
    isDuration: true,
  } as const satisfies Kind;
}

/** A whole number within limits. */
export function count(least: number, most: number) {
  const digits = trimmed.regex(/^\d{1,15}$/).transform(Number);
  return {
    schema: z.union([z.number(), digits]).pipe(z.int().min(least).max(most)),
    allowed: `a whole number of ${least} to ${most}`,
    placeholder: "number",
  } as const satisfies Kind;
}

/** One of a few words. */
export function word<const Words extends readonly [string, ...string[]]>(
  placeholder: string,
  words: Words,
) {
  return {
    schema: trimmed.pipe(z.enum(words)),
    allowed: `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`,
    placeholder,
    choices: words,
  } as const satisfies Kind;
}

/** Text that is not empty. */
export const text = printable.min(1);

/** Returns a schema for a list without duplicates. */
export function listOf(item: z.ZodType<string, string>) {
  return z
    .union([z.string(), z.array(z.string())])
    .transform((raw) =>
      [raw]
        .flat()
        .flatMap((part) => part.split(","))
        .map((part) => part.trim())
        .filter((part) => part !== ""),
    )
    .pipe(
      z
        .array(item)
        .refine((all) => new Set(all).size === all.length, "the same entry is in it twice"),
    );
}

/** A rate, or `off`, which may also be written `0`. */
export const rate = {
  schema: z
    .union([trimmed, z.literal(0).transform(String)])
    .transform((raw) => (raw === "0" ? "off" : raw))
    .refine((raw) => raw === "off" || parseRate(raw) !== undefined),
  allowed: "a number and a time of 1s to 1d, such as 600/1m, or off",
  placeholder: "rate",
  parse: parseRate,
} as const satisfies Kind;

/** Returns `null` for "", which stands for a setting without a value. */
export function orNull(value: string): string | null {
  return value === "" ? null : value;
}
