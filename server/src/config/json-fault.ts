/** A position in a text. Lines and columns are counted from 1, as in editors. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

// A JSON string: any characters except control characters, quotes and backslashes, or escape sequences.
const STRING = /"(?:[ !#-[\]-\u{10ffff}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/uy;
const LITERAL = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const SPACE = /[ \t\n\r]*/y;

/**
 * Returns the position at which a text is no longer valid JSON (RFC 8259); for a truncated text this is its end.
 * Returns `undefined` for valid JSON. The error messages of Bun and Node give no position, or different ones.
 */
export function placeOfJsonFault(text: string): Place | undefined {
  let at = 0;
  const skip = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const length = pattern.exec(text)?.[0].length;
    at += length ?? 0;
    return length !== undefined;
  };
  const take = (character: string) => {
    skip(SPACE);
    if (text[at] !== character) return false;
    at++;
    return true;
  };
  const string = () => skip(SPACE) && skip(STRING);
  const member = () => string() && take(":") && value();

  function list(item: () => boolean, end: string): boolean {
    if (take(end)) return true;
    while (item()) {
      if (take(end)) return true;
      if (!take(",")) return false;
    }
    return false;
  }

  function value(): boolean {
    if (take("{")) return list(member, "}");
    if (take("[")) return list(value, "]");
    return string() || skip(LITERAL);
  }

  if (value()) {
    skip(SPACE);
    if (at === text.length) return undefined;
  }
  const before = text.slice(0, at).split(/\r\n|\r|\n/);
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
