import { z } from "zod";
import { parseDuration, parseRate } from "./values.ts";

/** A kind of setting: the values that it accepts, and the form in which the code uses them. */
export interface Kind {
  /**
   * Validates a text (from a flag or a variable) or a JSON value (from the file). If `allowed` does not explain why a
   * value is refused, the schema's message does.
   */
  readonly schema: z.ZodType;
  /** Text that follows "allowed is" in a message. */
  readonly allowed: string;
  /** Placeholder for the value in `--help`. */
  readonly placeholder: string;
  /** Converts a valid value into the form that the code uses. By default the value is used unchanged. */
  readonly parse?: (value: never) => unknown;
  /** All values, if the setting accepts only a few words. Shells complete them. */
  readonly choices?: readonly string[];
  /** Set for a list: its flag may be repeated, its variable has commas between items, the file an array. */
  readonly isList?: true;
  /** Set for a path. In the configuration file, a relative path refers to the folder of that file. */
  readonly isPath?: true;
  /** Set for a duration: it is written with a unit, and its value is in milliseconds. */
  readonly isDuration?: true;
}

/** Text; white space at both ends is removed. */
export const trimmed = z.string().trim();
/** Trimmed text without control characters. It may be empty. */
export const printable = trimmed.regex(/^\P{Cc}*$/u);

/**
 * Returns a schema that also refuses a text if `check` returns a string, which is the reason. So a parser that returns
 * either a value or a reason can serve as `check`.
 */
export function refusing<Schema extends z.ZodType<string>>(schema: Schema, check: (text: string) => unknown): Schema {
  return schema.superRefine((text, context) => {
    const message = check(text);
    if (typeof message === "string") context.addIssue({ code: "custom", message });
  });
}

/** A duration from `least` to `most`; its value is in milliseconds. `example` is appended to the description. */
export function duration(least: string, most: string, example = "") {
  const [min = 0, max = 0] = [least, most].map(parseDuration);
  return {
    schema: trimmed.transform(parseDuration).pipe(z.number().min(min).max(max)),
    allowed: `a duration of ${least} to ${most}${example}`,
    placeholder: "duration",
    isDuration: true,
  } as const satisfies Kind;
}

/** A whole number from `least` to `most`. */
export function count(least: number, most: number) {
  const digits = trimmed.regex(/^\d{1,15}$/).transform(Number);
  return {
    schema: z.union([z.number(), digits]).pipe(z.int().min(least).max(most)),
    allowed: `a whole number of ${least} to ${most}`,
    placeholder: "number",
  } as const satisfies Kind;
}

/** One of the given words. */
export function word<const Words extends readonly [string, ...string[]]>(placeholder: string, words: Words) {
  return {
    schema: trimmed.pipe(z.enum(words)),
    allowed: `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`,
    placeholder,
    choices: words,
  } as const satisfies Kind;
}

/** `true` or `false`, in the file also as a JSON value. */
export const yesOrNo = {
  ...word("boolean", ["true", "false"]),
  schema: z.union([z.boolean(), trimmed.pipe(z.enum(["true", "false"])).transform((given) => given === "true")]),
} as const satisfies Kind;

/** Text that must not be empty. */
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
    .pipe(z.array(item).refine((all) => new Set(all).size === all.length, "the same entry is in it twice"));
}

/** A rate, or `off`. `0` also means `off`. */
export const rate = {
  schema: z
    .union([trimmed, z.literal(0).transform(String)])
    .transform((raw) => (raw === "0" ? "off" : raw))
    .refine((raw) => raw === "off" || parseRate(raw) !== undefined),
  allowed: "a number and a time of 1s to 1d, such as 600/1m, or off",
  placeholder: "rate",
  parse: parseRate,
} as const satisfies Kind;

/** Returns `null` for "", which means that a setting has no value. */
export function orNull(value: string): string | null {
  return value === "" ? null : value;
}
