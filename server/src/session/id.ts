import { createHmac, hash, randomFillSync, timingSafeEqual } from "node:crypto";

/*
 * A session id is 40 characters, the base64url form of 30 bytes (contract.md#session-ids):
 *
 *   bytes  0 to 5   creation time, milliseconds since 1970, big-endian
 *   bytes  6 and 7  a count of the ids of that millisecond, big-endian
 *   bytes  8 to 17  random, from the CSPRNG
 *   bytes 18 to 29  the first 12 bytes of an HMAC-SHA-256 of bytes 0 to 17
 *
 * 18 and 12 are multiples of 3, so the characters divide at the same place: 24 and 16.
 */
const CLAIM_BYTES = 18;
const MAC_BYTES = 12;
const ID_BYTES = CLAIM_BYTES + MAC_BYTES;
const CLAIM_CHARACTERS = 24;
const MAC_CHARACTERS = 16;
/** How many characters every session id has. */
export const SESSION_ID_CHARACTERS = CLAIM_CHARACTERS + MAC_CHARACTERS;
const PLACE = /^[A-Za-z0-9_-]{24}$/;
const RANDOM_OFFSET = 8;
const RANDOM_BYTES = CLAIM_BYTES - RANDOM_OFFSET;
/** Engines make integer keys of time and count, and have room for 12 bits of it. */
const MAX_COUNT = 4095;

/** The fewest bytes that a secret may have: as many as the hash gives (RFC 2104, section 3). */
export const SECRET_BYTES = 32;

/** A new id, and the creation time (ms) that it carries. */
export interface IssuedId {
  readonly id: string;
  readonly createdAt: number;
}

/** What ids are signed with, and since when (ms). */
export interface SigningSecret {
  readonly bytes: Uint8Array;
  readonly createdAt: number;
}

/**
 * A secret that was replaced signs for so long (ms) yet: servers that share it do not all hear of the
 * new one at once. What it signs later was not signed by us, and is no id: it may have leaked.
 */
const ROTATION_GRACE = 60_000;
/** A new secret signs after so long (ms): by then every server that shares it verifies under it. */
const ROTATION_DELAY = 3000;

/** HMAC-SHA-256 of a claim: 32 bytes or more, of which the first 32 are it, until the next call. */
export type Mac = (claim: Uint8Array) => Uint8Array;
/** Makes the MAC under a secret; a runtime may have a faster one than `node:crypto`. */
export type MacMaker = (secret: Uint8Array) => Mac;

/** Makes session ids and tells them from everything else, without looking anything up. */
export interface IdIssuer {
  /** A new id, created at `now` (ms) or next to it: ids of one issuer never share time and count. */
  issue(now: number): IssuedId;
  /** The creation time (ms) in an id that was issued under one of the secrets, else `undefined`. */
  verify(text: string): number | undefined;
  /** Takes over the secrets: the first signs soon, older ones verify what was signed in their time. */
  use(secrets: readonly SigningSecret[]): void;
}

/** An issuer under `secrets`, the newest first. At least one, of 32 bytes or more each. */
export function createIdIssuer(
  secrets: readonly SigningSecret[],
  createMac: MacMaker = createHashMac,
): IdIssuer {
  let signers = signersOf(secrets, createMac);
  const issued = Buffer.alloc(ID_BYTES);
  const issuedClaim = issued.subarray(0, CLAIM_BYTES);
  const received = Buffer.alloc(ID_BYTES);
  const receivedClaim = received.subarray(0, CLAIM_BYTES);
  const receivedMac = received.subarray(CLAIM_BYTES);
  const expectedMac = Buffer.alloc(MAC_BYTES);
  const random = createRandomPool();
  let lastTime = 0;
  let count = 0;

  function nextCount(now: number): void {
    if (now > lastTime) {
      lastTime = now;
      count = 0;
    } else if (count < MAX_COUNT) {
      count++;
    } else {
      // More than 4,096 in a millisecond: borrow the next one, which is over before anyone looks.
      lastTime++;
      count = 0;
    }
  }

  return {
    issue(now) {
      nextCount(now);
      issued.writeUIntBE(lastTime, 0, 6);
      issued.writeUInt16BE(count, 6);
      random.copyTo(issued, RANDOM_OFFSET);
      const mac = signerAt(signers, lastTime).mac(issuedClaim);
      for (let i = 0; i < MAC_BYTES; i++) issued[CLAIM_BYTES + i] = mac[i] as number;
      return { id: issued.toString("base64url"), createdAt: lastTime };
    },
    verify(text) {
      if (!readId(text, received)) return undefined;
      const { createdAt } = timeAndCount(text);
      for (const { mac, until } of signers) {
        // Copied byte by byte, because a subarray for each id takes longer than the comparison.
        const whole = mac(receivedClaim);
        for (let i = 0; i < MAC_BYTES; i++) expectedMac[i] = whole[i] as number;
        if (timingSafeEqual(expectedMac, receivedMac)) {
          return createdAt <= until ? createdAt : undefined;
        }
      }
      return undefined;
    },
    use(next) {
      signers = signersOf(next, createMac);
    },
  };
}

const NO_SEXTET = 0x40;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** The six bits that each character stands for, by its code (RFC 4648, section 5). */
const sextets = new Uint8Array(128).fill(NO_SEXTET);
for (let bits = 0; bits < 64; bits++) sextets[ALPHABET.charCodeAt(bits)] = bits;

/**
 * Decodes an id. False when it has another length, or a character that is none of the alphabet's: `Buffer`
 * would be lenient (it takes "+" for "-"), and takes longer than these few steps.
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
 * Creation time (ms) and count of an id that was verified before; garbage for anything else. Written
 * out, as every read and write of a session begins with it: a `Buffer` would take ten times as long.
 */
export function timeAndCount(id: string): { readonly createdAt: number; readonly count: number } {
  const sextet = (i: number) => sextets[id.charCodeAt(i)] as number;
  let createdAt = 0;
  for (let i = 0; i < 8; i++) createdAt = createdAt * 64 + sextet(i);
  return { createdAt, count: (sextet(8) << 10) | (sextet(9) << 4) | (sextet(10) >> 2) };
}

/** The place of a session among all in the order of creation: its id without what opens it. */
export function sortKeyOf(id: string): string {
  return id.slice(0, CLAIM_CHARACTERS);
}

/** Whether a text can be what `placeOf` gives. */
export function isSortKey(text: string): boolean {
  return PLACE.test(text);
}

interface Signer {
  readonly mac: Mac;
  /** When it begins to sign. */
  readonly from: number;
  /** The latest creation time of an id that it may have signed. */
  readonly until: number;
}

function signersOf(secrets: readonly SigningSecret[], createMac: MacMaker): Signer[] {
  if (secrets.length === 0) throw new TypeError("an id issuer needs a secret");
  return secrets.map(({ bytes, createdAt }, i) => {
    const from = i + 1 === secrets.length ? Number.NEGATIVE_INFINITY : createdAt + ROTATION_DELAY;
    const successor = secrets[i - 1];
    const until =
      successor === undefined ? Number.POSITIVE_INFINITY : successor.createdAt + ROTATION_GRACE;
    return { mac: checkedMac(createMac, bytes), from, until };
  });
}

/** The newest that signs at `now`. */
function signerAt(signers: readonly Signer[], now: number): Signer {
  for (const signer of signers) if (signer.from <= now) return signer;
  return signers.at(-1) as Signer;
}

/** `createMac`, checked once: ids signed wrongly would be worth nothing after the next start. */
function checkedMac(createMac: MacMaker, secret: Uint8Array): Mac {
  if (secret.length < SECRET_BYTES)
    throw new TypeError(`a secret has ${SECRET_BYTES} bytes or more`);
  const mac = createMac(secret);
  const probe = Buffer.alloc(CLAIM_BYTES, 0xa5);
  const expected = createHmac("sha256", secret).update(probe).digest();
  if (!expected.equals(mac(probe).subarray(0, expected.length))) {
    throw new Error("HMAC self-test failed");
  }
  return mac;
}

/**
 * HMAC is written out over one-shot hashes (RFC 2104, section 2: H(K xor opad, H(K xor ipad, text))),
 * which take a third of the time of `createHmac` for a text this short.
 */
const createHashMac: MacMaker = (secret) => {
  const block = Buffer.alloc(64);
  block.set(secret.length > 64 ? hash("sha256", secret, "buffer") : secret);
  const inner = Buffer.alloc(64 + CLAIM_BYTES);
  const outer = Buffer.alloc(64 + 32);
  const result = Buffer.alloc(32);
  for (let i = 0; i < 64; i++) {
    inner[i] = (block[i] as number) ^ 0x36;
    outer[i] = (block[i] as number) ^ 0x5c;
  }
  return (claim) => {
    inner.set(claim, 64);
    outer.write(hash("sha256", inner, "latin1"), 64, "latin1");
    result.write(hash("sha256", outer, "latin1"), "latin1");
    return result;
  };
};

/** Random bytes drawn from the CSPRNG 409 ids at a time: a call for each costs more than its id. */
function createRandomPool(): { copyTo(target: Buffer, offset: number): void } {
  const pool = Buffer.alloc(409 * RANDOM_BYTES);
  let used = pool.length;
  return {
    copyTo(target, offset) {
      if (used === pool.length) {
        randomFillSync(pool);
        used = 0;
      }
      // Byte by byte: for so few, a call of copy() takes longer than the loop.
      for (let i = 0; i < RANDOM_BYTES; i++) {
        target[offset + i] = pool[used] as number;
        pool[used++] = 0;
      }
    },
  };
}
