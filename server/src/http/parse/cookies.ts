/**
 * Returns the values of all cookies with this name in a `Cookie` header. A browser may send several, of different paths and
 * domains. Only a semicolon separates cookies (RFC 6265, section 4.2.1): after a comma or a space, a text that a visitor
 * has chosen for another cookie could stand for this one.
 */
export function cookieValues(header: string | null, name: string): readonly string[] {
  if (header === null) return none;
  const start = `${name}=`;
  const values: string[] = [];
  for (let at = header.indexOf(start); at !== -1; at = header.indexOf(start, at + 1)) {
    // Otherwise the found text is the end of a longer name, or part of another cookie's value.
    if (!isCookieStart(header, at)) continue;
    const from = at + start.length;
    const end = header.indexOf(";", from);
    values.push(header.slice(from, end === -1 ? undefined : end));
  }
  return values;
}

/**
 * Returns whether a cookie begins at this index: at the beginning, or after a semicolon and white space. Only spaces and
 * tabs are white space. With U+00A0 before it, the cookie of a neighbouring domain could pass for one with the prefix
 * `__Host-`, which browsers accept from this host alone.
 */
function isCookieStart(header: string, at: number): boolean {
  let before = at - 1;
  while (header[before] === " " || header[before] === "\t") before--;
  return before < 0 || header[before] === ";";
}

const none: readonly string[] = [];
