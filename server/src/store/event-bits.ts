import { bitSetOf, fieldsOfBitSet } from "../session/fields.ts";
import type { AssociationEvent } from "../session/timeline.ts";

/** The bit of a rotation. 16 has another meaning in the index of SQLite. */
const ROTATION = 32;

/** The effect of an event on its session. */
type Effect = Pick<AssociationEvent, "fields" | "isRotation">;

/** Returns the number that stands for an event in the history of a session: the bits of its fields, and `ROTATION`. */
export function bitsOf({ fields, isRotation }: Effect): number {
  return bitSetOf(fields) + (isRotation ? ROTATION : 0);
}

/** Returns the event for which `bitsOf` returned this number. */
export function effectOf(bits: number): Effect {
  return { fields: fieldsOfBitSet(bits), isRotation: (bits & ROTATION) !== 0 };
}
