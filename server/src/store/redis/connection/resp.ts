/*
 * The protocol of Redis, version 2 (RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/). A command
 * is an array of strings. A reply is a line (`+`, `-`, `:`), a string of known length (`$`) or an array of replies (`*`).
 */

/** Maximum number of bytes in a string and of elements in an array; the limit of Redis itself for a string. */
const MAX_LENGTH = 512 * 1024 * 1024;
/** Maximum number of bytes in a line. Redis shortens its error messages. */
const MAX_LINE = 64 * 1024;
/** Maximum number of arrays in one another. */
const MAX_DEPTH = 32;

const [CR, LF, PLUS, MINUS, ZERO, COLON, DOLLAR, STAR] = Buffer.from("\r\n+-0:$*") as unknown as readonly [
  ...[number, number, number, number, number, number, number, number],
];

/** An error reply. It is not an `Error`, because redirections are error replies and too frequent for stack traces. */
export class ReplyError {
  /** Text of the reply. It may contain arguments of the command, so it must not be logged. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Texts in front of words, by the length of the word in bytes. Making them anew would take longer than all the rest. */
const heads: readonly string[] = Array.from({ length: 512 }, (_, length) => headOf(length));

function headOf(length: number): string {
  return `\r\n$${length}\r\n`;
}

/** Encodes a command whose words are ASCII. For other words the result has the same length and is wrong. */
export function encodeAscii(words: readonly string[]): string {
  let text = `*${words.length}`;
  for (const word of words) text += (heads[word.length] ?? headOf(word.length)) + word;
  return `${text}\r\n`;
}

/** Encodes a command. */
export function encodeCommand(words: readonly string[]): string {
  let text = `*${words.length}`;
  for (const word of words) text += headOf(Buffer.byteLength(word)) + word;
  return `${text}\r\n`;
}

interface OpenArray {
  readonly elements: unknown[];
  /** Number of elements that have not arrived yet. */
  missing: number;
}

/**
 * Parses replies from bytes that arrive in pieces of any size. Strings are decoded as UTF-8. `null` stands for a missing
 * string or array. Each byte is examined a bounded number of times, however the replies are divided.
 */
export class ReplyParser {
  readonly #onReply: (reply: unknown) => void;
  /** Bytes of a line or string that is not complete yet. */
  #pieces: Buffer[] = [];
  /** Number of bytes in `#pieces`. */
  #available = 0;
  /** Number of bytes that `#pieces` must have before it is worth parsing them. */
  #needed = 0;
  /** Arrays that are not complete yet; each is an element of the one before it. */
  readonly #open: OpenArray[] = [];

  /** Calls `onReply` for each complete reply, with a `ReplyError` for an error reply. */
  constructor(onReply: (reply: unknown) => void) {
    this.#onReply = onReply;
  }

  /** Parses further bytes. Throws if they do not follow the protocol; then the parser must not be used any more. */
  push(piece: Buffer): void {
    this.#available += piece.length;
    this.#pieces.push(piece);
    if (this.#available < this.#needed) return;
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#available);
    let start = 0;
    this.#needed = 0;
    while (start < bytes.length && this.#needed === 0) start = this.#parse(bytes, start);
    this.#pieces = start < bytes.length ? [bytes.subarray(start)] : [];
    this.#available = bytes.length - start;
  }

  /** Parses the line or string at `start`, and returns where it ends. If it is incomplete, sets `#needed` instead. */
  #parse(bytes: Buffer, start: number): number {
    const type = bytes[start];
    if (type === PLUS || type === MINUS) return this.#parseText(bytes, start, type);
    if (type !== DOLLAR && type !== COLON && type !== STAR) throw malformed();
    const isNegative = bytes[start + 1] === MINUS;
    const first = start + (isNegative ? 2 : 1);
    let end = first;
    let value = 0;
    for (let digit = digitAt(bytes, end); digit >= 0 && digit <= 9; digit = digitAt(bytes, ++end)) {
      value = 10 * value + digit;
    }
    if (end - first > 20) throw malformed();
    if (end + 2 > bytes.length) {
      if (end < bytes.length && bytes[end] !== CR) throw malformed();
      return this.#wait(start, bytes.length - start + 1);
    }
    if (end === first || bytes[end] !== CR || bytes[end + 1] !== LF) throw malformed();
    end += 2;
    if (type === COLON) return this.#add(isNegative ? -value : value, end);
    if (isNegative ? value !== 1 : value > MAX_LENGTH) throw malformed();
    if (isNegative) return this.#add(null, end);
    return type === DOLLAR ? this.#parseString(bytes, start, end, value) : this.#openArray(end, value);
  }

  #parseText(bytes: Buffer, start: number, type: number): number {
    const end = bytes.indexOf(CR, start);
    if (end === -1 || end + 1 === bytes.length) {
      if (bytes.length - start > MAX_LINE) throw malformed();
      return this.#wait(start, bytes.length - start + 1);
    }
    if (bytes[end + 1] !== LF || end - start > MAX_LINE) throw malformed();
    const text = bytes.toString("utf8", start + 1, end);
    return this.#add(type === MINUS ? new ReplyError(text) : text, end + 2);
  }

  #parseString(bytes: Buffer, start: number, from: number, length: number): number {
    const end = from + length;
    if (end + 2 > bytes.length) return this.#wait(start, end + 2 - start);
    if (bytes[end] !== CR || bytes[end + 1] !== LF) throw malformed();
    return this.#add(bytes.toString("utf8", from, end), end + 2);
  }

  #openArray(end: number, length: number): number {
    if (length === 0) return this.#add([], end);
    if (this.#open.length === MAX_DEPTH) throw malformed();
    this.#open.push({ elements: [], missing: length });
    return end;
  }

  #wait(start: number, needed: number): number {
    this.#needed = needed;
    return start;
  }

  /** Adds a value to the innermost open array, or reports it as a reply. Returns `end`. */
  #add(value: unknown, end: number): number {
    let added = value;
    for (let array = this.#open.at(-1); array !== undefined; array = this.#open.at(-1)) {
      array.elements.push(added);
      if (--array.missing > 0) return end;
      added = array.elements;
      this.#open.pop();
    }
    this.#onReply(added);
    return end;
  }
}

/** Returns the digit at an index; a value outside 0 to 9, or `NaN`, if there is none. */
function digitAt(bytes: Buffer, index: number): number {
  return (bytes[index] ?? Number.NaN) - ZERO;
}

function malformed(): SyntaxError {
  return new SyntaxError("the reply does not follow the protocol of Redis");
}
