export const CR = 0x0d;
export const LF = 0x0a;
export const SPACE = 0x20;
const TAB = 0x09;
const HASH = 0x23;
const DEL = 0x7f;

/** The classes of bytes, one bit each (RFC 9110, sections 5.5 and 5.6.2; RFC 3986). */
export const TOKEN = 1;
export const TARGET = 2;
/** The bytes of field values and quoted strings: no control characters, except tabs. */
export const VALUE = 4;
export const HOST = 8;

const classes = Uint8Array.from({ length: 256 }, (_, byte) => {
  const ascii = byte < 0x80 ? String.fromCharCode(byte) : "";
  const isToken = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(ascii);
  // Bytes from 0x80 on are allowed too: some clients send UTF-8 in targets, which is harmless.
  const isTarget = byte > SPACE && byte !== DEL && byte !== HASH;
  const isValue = (byte >= SPACE && byte !== DEL) || byte === TAB;
  const isHost = /[\w.~!$&'()*+,;=%:@[\]-]/.test(ascii);
  return (isToken ? TOKEN : 0) | (isTarget ? TARGET : 0) | (isValue ? VALUE : 0) | (isHost ? HOST : 0);
});

export function isOf(byte: number, kind: number): boolean {
  return ((classes[byte] as number) & kind) !== 0;
}

export function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** Returns whether the bytes from `start` to `end` are equal to `text`, which has one character per byte. */
export function isText(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}
