/** A position in a text as editors count it: both members from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

// Any character except control characters, quotes and backslashes, or an escape.
const STRING = /"(?:[ !#-[\]-\u{10ffff}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/uy;
const LITERAL = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const SPACE = /[ \t\n\r]*/y;

/**
 * Returns the position where a text stops being JSON (RFC 8259), which is the end of a truncated text;
 * `undefined` for valid JSON. The runtimes' own messages give no position, or different ones.
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
