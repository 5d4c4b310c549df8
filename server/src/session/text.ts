const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** Returns whether a text is printable ASCII. Most texts are, and this check is faster than others. */
export function isPrintableAscii(text: string): boolean {
  return PRINTABLE_ASCII.test(text);
}

/** Returns whether the text contains a character of the Unicode class Cc: C0, DEL or C1. */
export function hasControlCharacter(text: string): boolean {
  return CONTROL_CHARACTER.test(text);
}

/** Returns whether the text is well-formed Unicode without control characters. */
export function isPlainText(text: string): boolean {
  return isPrintableAscii(text) || (!hasControlCharacter(text) && text.isWellFormed());
}
