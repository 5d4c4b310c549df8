const ASCII = /^[\x20-\x7e]*$/;

/** A byte order mark is a character like others: nothing is taken from what a caller sent. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Returns the text of a header value or path that arrived as one character per byte: decoded as UTF-8,
 * or as ISO-8859-1 where the bytes are not valid UTF-8 (contract, Ids).
 */
export function textOfBytes(value: string): string {
  return utf8OfBytes(value) ?? value;
}

/**
 * Returns the text of a part of a request's target: what is percent-encoded in it are bytes like the others.
 * A `%` without two hexadecimal digits behind it stands for itself.
 */
export function textOfTarget(part: string): string {
  return textOfBytes(
    part.replace(ENCODED, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16))),
  );
}

/** Returns the parameters of a query in their order, read like `textOfTarget`; `+` is a space. */
export function parametersOf(query: string): URLSearchParams {
  const pairs = query.split("&").filter((pair) => pair !== "");
  return new URLSearchParams(
    pairs.map((pair): [string, string] => {
      const [name = "", ...value] = pair.replaceAll("+", " ").split("=");
      return [textOfTarget(name), textOfTarget(value.join("="))];
    }),
  );
}

const ENCODED = /%[\da-f]{2}/gi;

/** Returns the text like `textOfBytes`, or `undefined` where the bytes are not valid UTF-8. */
export function utf8OfBytes(value: string): string | undefined {
  if (ASCII.test(value)) return value;
  try {
    return utf8.decode(Buffer.from(value, "latin1"));
  } catch {
    return undefined;
  }
}
