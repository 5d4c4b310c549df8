import { bitSetOf, idFields } from "../../../session/fields.ts";
import { timeAndCount } from "../../../session/id.ts";
import { effectOf } from "../../event-bits.ts";
import { entryText, type Moment, type SessionChange, type SessionEntry } from "../../event-entry.ts";
import { endReasonOf, expiryReasonOf, type NoteContents, noteBits } from "../layout/note-codec.ts";

/*
 * The entries of the event log over Redis. The log is a stream; the id of an entry is the position of its event. The
 * text of an entry is one of:
 *
 *   the parts of a `SessionEntry` with commas between them; the reference to the session is its handle
 *   `erased,` hash of the customer `,` time (Unix ms)
 */

const ERASURE = "erased";
const ID_BITS = bitSetOf(idFields);

/** An entry that says that a customer was erased. */
export interface Erasure {
  readonly customerHash: string;
  readonly at: number;
}

/** Returns the entries of the events of a note, in their order. */
export function entriesOf({ handle, bits, age, moment }: NoteContents): readonly string[] {
  if (moment === undefined) return [];
  const { ids, expiresAfter, activeAfter } = moment;
  const shown: Moment = { after: age, ids, expiresAfter, activeAfter };
  return changesIn(bits, moment.reason).map((change) => entryText(change, handle, shown));
}

/** The changes of a note about a session that was created with its ids, as most are. */
const creation: readonly SessionChange[] = [{ type: "session.created" }];
const CREATION = noteBits.created | noteBits.published | noteBits.initial;

function changesIn(bits: number, reason: string): readonly SessionChange[] {
  if ((bits & ~ID_BITS) === CREATION) return creation;
  const changes: SessionChange[] = [];
  if (hasBit(bits, noteBits.published)) changes.push({ type: "session.created" });
  const { fields, isRotation } = effectOf(bits);
  if (fields.length > 0 && !hasBit(bits, noteBits.initial)) changes.push({ type: "session.associated", added: fields });
  if (isRotation) changes.push({ type: "session.rotated" });
  if (hasBit(bits, noteBits.ended)) changes.push({ type: "session.ended", reason: endReasonOf(reason) });
  if (hasBit(bits, noteBits.expired)) changes.push({ type: "session.expired", reason: expiryReasonOf(reason) });
  return changes;
}

function hasBit(bits: number, bit: number): boolean {
  return (bits & bit) !== 0;
}

/** Returns by how much a note changes the number of live sessions that have ids or records, or have had data. */
export function liveChangeOf({ bits }: NoteContents): number {
  const isBegun = hasBit(bits, noteBits.published);
  const isOver =
    hasBit(bits, noteBits.expired) || (hasBit(bits, noteBits.ended) && !hasBit(bits, noteBits.unpublished));
  return Number(isBegun) - Number(isOver);
}

/** Returns the entry about an erased customer. */
export function erasureText({ customerHash, at }: Erasure): string {
  return `${ERASURE},${customerHash},${at}`;
}

/** Parses an entry. */
export function parseEntry(text: string): SessionEntry<string> | Erasure {
  const [kind = "", reference = "", ...numbers] = text.split(",");
  if (kind === ERASURE) return { customerHash: reference, at: Number(numbers[0]) };
  const [at = 0, sets = 0, expiresAfter, activeAfter] = numbers.map(Number);
  return [Number(kind), reference, at, sets, expiresAfter, activeAfter];
}

/** Returns the time (Unix ms) at which the session of a note expires; `undefined` if the note has no new expiry. */
export function newExpiryOf({ handle, bits, moment }: NoteContents): number | undefined {
  if (moment === undefined || !hasBit(bits, noteBits.created | noteBits.earlier)) return undefined;
  return timeAndCount(handle).createdAt + moment.expiresAfter;
}
