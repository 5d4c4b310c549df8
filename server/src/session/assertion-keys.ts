import { createHash, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from "node:crypto";
import type { SigningSecret } from "./id.ts";

/*
 * The keys that sign assertions (contract.md#signed-identity). Each is derived from a secret of session ids, so it is
 * stored, shared, migrated and rotated with that secret. The life of a key begins when its secret is created:
 *
 *   published --PUBLISHED_AHEAD--> signs --successor signs--> published --RETIRED_AFTER--> gone
 *
 * The key of the oldest secret signs from the beginning.
 */

/** How long (ms) an assertion is valid. */
export const ASSERTION_LIFE = 60_000;
/** How far (ms) the clocks of the processes that share a store may differ. */
const CLOCK_DIFFERENCE = 60_000;
/** How long (ms) a key is published before it signs: applications may cache the key set for 10 minutes. */
const PUBLISHED_AHEAD = 10 * 60_000 + CLOCK_DIFFERENCE;
/** How long (ms) a key is published after its successor has begun to sign. */
const RETIRED_AFTER = ASSERTION_LIFE + CLOCK_DIFFERENCE;

/** A key pair for assertions. */
export interface AssertionKey {
  /** The thumbprint of the public key (RFC 7638). */
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** The public key as a member of a JWK set (RFC 7517, RFC 8037). */
  readonly jwk: Readonly<Record<string, string>>;
}

/** The keys of a store. Times are Unix ms of the clock that never runs backwards. */
export interface AssertionKeys {
  /** Returns the key that signs at `now`. */
  signingAt(now: number): AssertionKey;
  /** Returns the keys that are published at `now`, newest first. */
  publishedAt(now: number): readonly AssertionKey[];
}

/** Returns the keys that follow from the secrets (newest first; at least one). */
export function createAssertionKeys(secrets: readonly SigningSecret[]): AssertionKeys {
  const periods = periodsOf(secrets);
  return {
    signingAt(now) {
      // The period of the oldest secret has no beginning, so there is always one.
      const period = periods.find(({ from }) => from <= now) as Period;
      return period.key();
    },
    publishedAt: (now) => periods.filter(({ until }) => now < until).map(({ key }) => key()),
  };
}

interface Period {
  /** The time (Unix ms) at which the key begins to sign. */
  readonly from: number;
  /** The time (Unix ms) at which the key is no longer published. */
  readonly until: number;
  /** Derives the key once, because most secrets of an old store are no longer in use. */
  readonly key: () => AssertionKey;
}

function periodsOf(secrets: readonly SigningSecret[]): readonly Period[] {
  if (secrets.length === 0) throw new TypeError("assertion keys require a secret");
  const starts = secrets.map(({ createdAt }, i) =>
    i + 1 === secrets.length ? Number.NEGATIVE_INFINITY : createdAt + PUBLISHED_AHEAD,
  );
  return secrets.map(({ bytes }, i) => {
    const successor = starts[i - 1] ?? Number.POSITIVE_INFINITY;
    let derived: AssertionKey | undefined;
    return {
      from: starts[i] as number,
      until: successor + RETIRED_AFTER,
      key: () => (derived ??= deriveKey(bytes)),
    };
  });
}

/** The bytes before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
/** Separates the keys of assertions from everything else that is derived from a secret. Do not change it. */
const PURPOSE = "antechamber assertion";

function deriveKey(secret: Uint8Array): AssertionKey {
  const seed = Buffer.from(hkdfSync("sha256", secret, "", PURPOSE, 32));
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
  const { x = "" } = createPublicKey(privateKey).export({ format: "jwk" });
  // RFC 7638, section 3.2: the required members in alphabetical order.
  const members = JSON.stringify({ crv: "Ed25519", kty: "OKP", x });
  const kid = createHash("sha256").update(members).digest("base64url");
  return { kid, privateKey, jwk: { kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig" } };
}
