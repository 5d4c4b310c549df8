import { faultOfText } from "./text.ts";

/** The longest id that a caller may give, in Unicode characters (contract.md#caller-ids). */
export const MAX_ID_CHARACTERS = 256;

/**
 * Returns the fault of an id that a caller gives, as the end of a sentence, or `undefined` if it is valid: 1 to 256
 * Unicode characters, no control characters, no space at either end. HTTP removes such spaces from header values (RFC
 * 9110, section 5.5). So an application that reads the id from the headers of `/forward-auth` could not distinguish "a"
 * from "a ".
 */
export function faultOfId(value: string): string | undefined {
  if (value.startsWith(" ") || value.endsWith(" ")) return "begins or ends with a space";
  return faultOfStoredId(value);
}

/** Returns the fault of an id that is only looked up. Spaces at its ends are valid: earlier versions stored them. */
export function faultOfStoredId(value: string): string | undefined {
  return faultOfText(value, MAX_ID_CHARACTERS);
}
