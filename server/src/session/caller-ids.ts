/** The longest id a caller may give, in Unicode characters (contract.md#caller-ids). */
export const MAX_ID_CHARACTERS = 256;

// The one class of characters that an id may not contain: Unicode's Cc (C0, DEL, C1).
const CONTROL_CHARACTER = /\p{Cc}/u;

/**
 * Returns what is wrong with an id that a caller gives, as the end of a sentence, or `undefined` if it
 * is valid: opaque, case-sensitive, 1 to 256 characters of Unicode, no control characters, no space at
 * either end. An HTTP header cannot carry such a space (RFC 9110, section 5.5): an application that reads
 * the id from the headers of `/forward-auth` would confuse two visits or customers.
 */
export function faultOfId(value: string): string | undefined {
  if (value.startsWith(" ") || value.endsWith(" ")) return "begins or ends with a space";
  return faultOfStoredId(value);
}

/**
 * Like `faultOfId`, for ids that are only looked up: ids with spaces at their ends were accepted earlier,
 * and data stored under them can still be found and erased.
 */
export function faultOfStoredId(value: string): string | undefined {
  // A character takes one or two UTF-16 units: short values need not be counted.
  if (value.length > MAX_ID_CHARACTERS && countCharacters(value) > MAX_ID_CHARACTERS) {
    return `is longer than ${MAX_ID_CHARACTERS} characters`;
  }
  if (CONTROL_CHARACTER.test(value)) return "contains a control character";
  // Half a surrogate pair is no character: stored as UTF-8, two such ids would become one.
  if (!value.isWellFormed()) return "is not well-formed Unicode";
  return undefined;
}

function countCharacters(value: string): number {
  // Beyond twice the limit it is too long whatever it is made of.
  if (value.length > 2 * MAX_ID_CHARACTERS) return value.length;
  return [...value].length;
}
