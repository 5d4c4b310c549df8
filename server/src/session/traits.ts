import { faultOfText } from "./text.ts";

/** The texts of a session besides its ids; `null` stands for none. Both may be replaced, and never become `null` again. */
export interface Traits {
  /** The name of its profile, which chooses its lifetimes (contract.md#rule-10). */
  readonly profile: string | null;
  /** The text by which people recognize the session (contract.md#rule-11). */
  readonly label: string | null;
}

export const noTraits: Traits = { profile: null, label: null };

/** Returns whether there is a profile or a label. */
export function hasTraits({ profile, label }: Traits): boolean {
  return profile !== null || label !== null;
}

/** The longest label, in Unicode characters (contract.md#rule-11). */
const MAX_LABEL_CHARACTERS = 128;

/** Returns the fault of a label, as the end of a sentence; `undefined` if it is valid. An empty one is not checked. */
export function faultOfLabel(label: string): string | undefined {
  return faultOfText(label, MAX_LABEL_CHARACTERS);
}
