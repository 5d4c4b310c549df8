/** An entity tag without its quotes (RFC 9110, section 8.8.3). */
export interface EntityTag {
  readonly opaque: string;
  readonly isWeak: boolean;
}

/** Maximum number of elements in a list, the empty ones included. */
export const MAX_TAGS = 64;

/**
 * An element of a list, and the comma after it. A tag may contain commas and backslashes, but no spaces or quotes.
 * Recipients ignore empty elements (RFC 9110, section 5.6.1.2).
 */
const ELEMENT = /(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(,[ \t]*|$)/y;

/**
 * Reads the value of `If-Match` or `If-None-Match`: `*`, or a list of entity tags (RFC 9110, section 13.1). Returns
 * `undefined` if it is malformed, has no tag, or has more than `MAX_TAGS` elements.
 */
export function readEntityTags(header: string): readonly EntityTag[] | "*" | undefined {
  const text = header.trim();
  if (text === "*") return "*";
  const tags: EntityTag[] = [];
  ELEMENT.lastIndex = 0;
  for (let count = 1; count <= MAX_TAGS; count++) {
    const [, weak, opaque, comma] = ELEMENT.exec(text) ?? [];
    if (comma === undefined) return undefined;
    if (opaque !== undefined) tags.push({ opaque, isWeak: weak !== undefined });
    if (comma === "") return tags.length > 0 ? tags : undefined;
  }
  return undefined;
}
