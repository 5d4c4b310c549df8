import { randomFillSync, timingSafeEqual } from "node:crypto";
import { createNodeHmac, createTestedHmac, type Hmac, type HmacFactory } from "./hmac.ts";

/*
 * A session id is 40 characters, the base64url form of 30 bytes (contract.md#session-ids):
 *
 *   bytes  0 to 5   creation time, milliseconds since 1970, big-endian
 *   bytes  6 and 7  a counter of the ids of that millisecond, big-endian
 *   bytes  8 to 17  random, from the CSPRNG; if the store chooses byte 17 by the session's visit, byte 7 is random instead
 *   byte  18        generation: 0 at the creation of the session, one more at each rotation
 *   bytes 19 to 29  the first 11 bytes of an HMAC-SHA-256 of bytes 0 to 18
 *
 * The first 18 bytes are exactly the first 24 characters. They are called the handle: they name the session and open
 * nothing, because only the server can make the signature.
 */
const HANDLE_BYTES = 18;
const SIGNED_BYTES = HANDLE_BYTES + 1;
const MAC_BYTES = 11;
const ID_BYTES = SIGNED_BYTES + MAC_BYTES;
/** The length of every handle, and of every session id. */
export const HANDLE_CHARACTERS = 24;
export const SESSION_ID_CHARACTERS = 40;
const HANDLE = /^[A-Za-z0-9_-]{24}$/;
const RANDOM_OFFSET = 8;
const RANDOM_BYTES = HANDLE_BYTES - RANDOM_OFFSET;
/** The counter uses only 12 bits, because the engines combine the time and these 12 bits in one integer key. */
const MAX_COUNTER = 4095;
/** The highest generation, because it is one byte. */
export const MAX_GENERATION = 255;

/** The minimum length of a secret in bytes, which is the length of the hash (RFC 2104, section 3). */
export const SECRET_BYTES = 32;

/** A new id of generation 0, with its parts. */
export interface IssuedId {
  readonly id: string;
  readonly handle: string;
  /** Unix ms. */
  readonly createdAt: number;
}

/** The parts of a verified id. */
export interface VerifiedId {
  readonly handle: string;
  readonly generation: number;
}

/** A secret that signs ids. */
export interface SigningSecret {
  readonly bytes: Uint8Array;
  /** Unix ms. */
  readonly createdAt: number;
}

/**
 * How long (ms) a replaced secret may still sign ids, because other servers may learn of the new secret later. Ids that
 * it signs with a later creation time are refused, because the secret may have leaked.
 */
const ROTATION_GRACE = 60_000;
/** How long (ms) after its creation a new secret begins to sign, so that every server can verify its ids by then. */
const ROTATION_DELAY = 3000;

/** Issues session ids, and verifies them without the store. */
export interface IdIssuer {
  /**
   * Returns a new id with the creation time `now` (Unix ms), or a later one if `now` already has too many ids.
   * `lastByte` becomes the last byte of the handle (`SessionStore.lastByteOfHandle`). Ten others are random in any case.
   */
  issue(now: number, lastByte?: number): IssuedId;
  /** Returns the parts of an id that one of the secrets signed; `undefined` for any other text. */
  verify(text: string): VerifiedId | undefined;
  /** Signs the id of a session that was created before: `now` (Unix ms) chooses the secret. */
  sign(handle: string, generation: number, now: number): string;
  /**
   * Replaces the secrets (newest first). The newest one will sign. The others only verify ids from the time when they
   * were in use.
   */
  use(secrets: readonly SigningSecret[]): void;
}

/** Creates an issuer with at least one secret, the newest first. Each has at least `SECRET_BYTES`. */
export function createIdIssuer(secrets: readonly SigningSecret[], createHmac: HmacFactory = createNodeHmac): IdIssuer {
  let signers = signersOf(secrets, createHmac);
  const issued = Buffer.alloc(ID_BYTES);
  const issuedPart = issued.subarray(0, SIGNED_BYTES);
  const received = Buffer.alloc(ID_BYTES);
  const receivedPart = received.subarray(0, SIGNED_BYTES);
  const receivedMac = received.subarray(SIGNED_BYTES);
  const expectedMac = Buffer.alloc(MAC_BYTES);
  const random = createRandomPool();
  let lastTime = 0;
  let counter = 0;

  function advance(now: number): void {
    if (now <= lastTime && counter < MAX_COUNTER) {
      counter++;
      return;
    }
    // If a millisecond already has 4,096 ids, the next ids get the time of the next millisecond.
    lastTime = Math.max(now, lastTime + 1);
    counter = 0;
  }

  /** Signs the bytes in `issued`, and returns the id. */
  function signed(now: number): string {
    const mac = signerAt(signers, now).hmac(issuedPart);
    for (let i = 0; i < MAC_BYTES; i++) issued[SIGNED_BYTES + i] = mac[i] as number;
    return issued.toString("base64url");
  }

  return {
    issue(now, lastByte) {
      advance(now);
      issued.writeUIntBE(lastTime, 0, 6);
      issued.writeUInt16BE(counter, 6);
      random.copyTo(issued, RANDOM_OFFSET);
      if (lastByte !== undefined) {
        issued[RANDOM_OFFSET - 1] = issued[HANDLE_BYTES - 1] as number;
        issued[HANDLE_BYTES - 1] = lastByte;
      }
      issued[HANDLE_BYTES] = 0;
      const id = signed(lastTime);
      return { id, handle: handleOf(id), createdAt: lastTime };
    },
    sign(handle, generation, now) {
      issued.write(handle, "base64url");
      issued[HANDLE_BYTES] = generation;
      return signed(now);
    },
    verify(text) {
      if (!readId(text, received)) return undefined;
      const generation = received[HANDLE_BYTES] as number;
      for (const { hmac, until } of signers) {
        // The bytes are copied one by one, because creating a subarray for each id takes longer than the comparison.
        const mac = hmac(receivedPart);
        for (let i = 0; i < MAC_BYTES; i++) expectedMac[i] = mac[i] as number;
        if (timingSafeEqual(expectedMac, receivedMac)) {
          if (timeAndCount(text).createdAt > until) return undefined;
          // A part of `text` would keep the whole request line in memory for as long as the session is cached.
          return { handle: received.toString("base64url", 0, HANDLE_BYTES), generation };
        }
      }
      return undefined;
    },
    use(next) {
      signers = signersOf(next, createHmac);
    },
  };
}

const NO_SEXTET = 0x40;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** The six bits of each base64url character, by the code of the character (RFC 4648, section 5). */
const sextets = new Uint8Array(128).fill(NO_SEXTET);
for (let bits = 0; bits < 64; bits++) sextets[ALPHABET.charCodeAt(bits)] = bits;

/**
 * Decodes an id into `bytes`. Returns false if it has another length, or a character outside the alphabet. `Buffer`
 * would be slower and would accept other characters ("+" as "-").
 */
function readId(text: string, bytes: Buffer): boolean {
  if (text.length !== SESSION_ID_CHARACTERS) return false;
  let codesSeen = 0;
  let sextetsSeen = 0;
  let at = 0;
  for (let i = 0; i < SESSION_ID_CHARACTERS; i += 4) {
    let group = 0;
    for (let j = i; j < i + 4; j++) {
      const code = text.charCodeAt(j);
      const sextet = sextets[code & 0x7f] as number;
      codesSeen |= code;
      sextetsSeen |= sextet;
      group = (group << 6) | sextet;
    }
    bytes[at++] = group >> 16;
    bytes[at++] = group >> 8;
    bytes[at++] = group;
  }
  return codesSeen < 0x80 && sextetsSeen < NO_SEXTET;
}

/**
 * Returns the creation time (Unix ms) and the counter in a handle or id; arbitrary numbers for other texts. Every read
 * and write of a session calls this function, so it does not use `Buffer`, which would take ten times as long.
 */
export function timeAndCount(handle: string): { readonly createdAt: number; readonly count: number } {
  const sextet = (i: number) => sextets[handle.charCodeAt(i)] as number;
  let createdAt = 0;
  for (let i = 0; i < 8; i++) createdAt = createdAt * 64 + sextet(i);
  return { createdAt, count: (sextet(8) << 10) | (sextet(9) << 4) | (sextet(10) >> 2) };
}

/**
 * Returns the random bytes of a handle as two integers, which take less space in a database than text: the first four
 * bytes (signed), and the last six (unsigned).
 */
export function randomOf(handle: string): { readonly high: number; readonly low: number } {
  const sextet = (i: number) => sextets[handle.charCodeAt(i)] as number;
  let high = sextet(10);
  for (let i = 11; i < 16; i++) high = (high << 6) | sextet(i);
  let low = 0;
  for (let i = 16; i < 24; i++) low = low * 64 + sextet(i);
  return { high, low };
}

/** Returns the handle with this creation time (Unix ms), counter and random bytes (`randomOf`). */
export function handleWith(createdAt: number, count: number, high: number, low: number): string {
  const bytes = Buffer.allocUnsafe(HANDLE_BYTES);
  bytes.writeUIntBE(createdAt, 0, 6);
  bytes.writeUInt16BE(count, 6);
  bytes.writeInt32BE(high, RANDOM_OFFSET);
  bytes.writeUIntBE(low, RANDOM_OFFSET + 4, 6);
  return bytes.toString("base64url");
}

/** Returns the handle of a session: the part of its id before the generation. Handles are in the order of creation. */
export function handleOf(id: string): string {
  return id.slice(0, HANDLE_CHARACTERS);
}

/** Returns the generation in an id; an arbitrary number for other texts. */
export function generationOf(id: string): number {
  const first = sextets[id.charCodeAt(HANDLE_CHARACTERS)] as number;
  const second = sextets[id.charCodeAt(HANDLE_CHARACTERS + 1)] as number;
  return (first << 2) | (second >> 4);
}

/**
 * Returns whether a text has the form of a handle. No handle has a higher counter than `MAX_COUNTER`. Such a text must
 * not name a session: an engine that stores 12 bits of the counter would find the session of another handle.
 */
export function isHandle(text: string): boolean {
  return HANDLE.test(text) && timeAndCount(text).count <= MAX_COUNTER;
}

/** The times (Unix ms) that a handle can contain: 2020-01-01 to 2099-12-31. */
const TIMES = { first: Date.UTC(2020, 0, 1), last: Date.UTC(2100, 0, 1) - 1 };

/**
 * Returns the handle that a text names, for logs: the text is a handle, or an id whose signature is not verified. Another
 * secret could have the form of an id, so the time must be possible too; otherwise returns `undefined`.
 */
export function handleIn(text: string): string | undefined {
  if (text.length !== HANDLE_CHARACTERS && text.length !== SESSION_ID_CHARACTERS) return undefined;
  const handle = handleOf(text);
  if (!isHandle(handle)) return undefined;
  const { createdAt } = timeAndCount(handle);
  return createdAt >= TIMES.first && createdAt <= TIMES.last ? handle : undefined;
}

interface Signer {
  readonly hmac: Hmac;
  /** The time at which the secret begins to sign, Unix ms. */
  readonly from: number;
  /** The latest creation time of valid ids that the secret has signed, Unix ms. */
  readonly until: number;
}

function signersOf(secrets: readonly SigningSecret[], createHmac: HmacFactory): Signer[] {
  if (secrets.length === 0) throw new TypeError("an id issuer requires a secret");
  return secrets.map(({ bytes, createdAt }, i) => {
    if (bytes.length < SECRET_BYTES) {
      throw new TypeError(`a secret must have at least ${SECRET_BYTES} bytes`);
    }
    const from = i + 1 === secrets.length ? Number.NEGATIVE_INFINITY : createdAt + ROTATION_DELAY;
    const successor = secrets[i - 1];
    const until = successor === undefined ? Number.POSITIVE_INFINITY : successor.createdAt + ROTATION_GRACE;
    return { hmac: createTestedHmac(createHmac, bytes, SIGNED_BYTES), from, until };
  });
}

/** Returns the newest signer at `now`. */
function signerAt(signers: readonly Signer[], now: number): Signer {
  for (const signer of signers) if (signer.from <= now) return signer;
  return signers.at(-1) as Signer;
}

/** Draws CSPRNG bytes for 409 ids at a time: a call for each id would take longer than all other work for it. */
function createRandomPool(): { copyTo(target: Buffer, offset: number): void } {
  const pool = Buffer.alloc(409 * RANDOM_BYTES);
  let used = pool.length;
  return {
    copyTo(target, offset) {
      if (used === pool.length) {
        randomFillSync(pool);
        used = 0;
      }
      // For this small number of bytes, calling copy() takes longer than the loop.
      for (let i = 0; i < RANDOM_BYTES; i++) {
        target[offset + i] = pool[used] as number;
        pool[used++] = 0;
      }
    },
  };
}
