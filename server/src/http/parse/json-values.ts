const [QUOTE, BACKSLASH, COMMA, OPEN_ARRAY, OPEN_OBJECT] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b] as const;

/**
 * Returns whether a JSON text in UTF-8 has more than `most` values, where a nested value counts like any other. To be
 * called before a long text is parsed: each value takes up to a hundred times its two bytes of memory, and deep nesting
 * takes the parser a second. Stops at the first value too many. The text need not be well-formed.
 */
export function hasMoreValues(json: Uint8Array, most: number): boolean {
  // An upper bound of the values: one, and one more for each comma and each opening bracket.
  let values = 1;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (byte === QUOTE) i = endOfString(json, i);
    else if (byte === COMMA || byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      if (++values > most) return true;
    }
  }
  return false;
}

/** Returns the position of the quotation mark that ends a string; the length of the text if there is none. */
function endOfString(json: Uint8Array, start: number): number {
  let i = start + 1;
  for (; i < json.length && json[i] !== QUOTE; i++) {
    if (json[i] === BACKSLASH) i++;
  }
  return i;
}
