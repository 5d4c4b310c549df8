const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** Returns whether a text is printable ASCII. Most texts are, and this check is faster than others. */
export function isPrintableAscii(text: string): boolean {
  return PRINTABLE_ASCII.test(text);
}

/** Returns whether the text contains a character of the Unicode class Cc: C0, DEL or C1. */
function hasControlCharacter(text: string): boolean {
  return CONTROL_CHARACTER.test(text);
}

/**
 * Returns the fault of a text that a caller gives, as the end of a sentence, or `undefined` if it is valid: at most
 * `maxCharacters` Unicode characters, well-formed, no control characters.
 */
export function faultOfText(text: string, maxCharacters: number): string | undefined {
  // A character has at least one UTF-16 unit, so the characters of a short text need not be counted.
  if (text.length > maxCharacters && isLonger(text, maxCharacters)) return `is longer than ${maxCharacters} characters`;
  if (hasControlCharacter(text)) return "contains a control character";
  // Half of a surrogate pair cannot be encoded in UTF-8, so two different texts could be stored as the same text.
  if (!text.isWellFormed()) return "is not well-formed Unicode";
  return undefined;
}

function isLonger(text: string, maxCharacters: number): boolean {
  // A character has at most two UTF-16 units, so a text of more than twice the limit is too long anyway.
  return text.length > 2 * maxCharacters || [...text].length > maxCharacters;
}

/** Returns whether the text is well-formed Unicode without control characters. */
export function isPlainText(text: string): boolean {
  return isPrintableAscii(text) || (!hasControlCharacter(text) && text.isWellFormed());
}
