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

/** Returns the text like `textOfBytes`, or `undefined` where the bytes are not valid UTF-8. */
export function utf8OfBytes(value: string): string | undefined {
  if (ASCII.test(value)) return value;
  try {
    return utf8.decode(Buffer.from(value, "latin1"));
  } catch {
    return undefined;
  }
}
