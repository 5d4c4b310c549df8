import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { SigningSecret } from "./id.ts";

/*
 * Short signed texts that the server creates and verifies later: `<JSON in base64url>.<HMAC-SHA-256 of it>`. The keys are
 * derived from the secrets of session ids, so they are stored, shared and rotated with these. Everybody can read such a
 * text; only the server can make one. The caller checks the times in it.
 */

/** Signs texts for one purpose; a text for another purpose is refused. */
export interface TokenSigner {
  sign(content: object): string;
  /** Returns the content; `undefined` if `sign` has not made this text with one of the secrets. */
  open(text: string): object | undefined;
}

/** Signers of one purpose each. */
export interface TokenSigners {
  /** Signs the cookie of a person who is signed in to the console. */
  readonly console: TokenSigner;
  /** Signs the cookie of a sign-in at the identity provider that is under way. */
  readonly signIn: TokenSigner;
  /** Signs tokens for reading a session or the sessions of a customer. */
  readonly view: TokenSigner;
  /** Replaces the secrets (newest first; at least one). */
  use(secrets: readonly SigningSecret[]): void;
}

/** Maximum length of a text; a longer one is refused. */
const MAX_CHARACTERS = 4096;

export function createTokenSigners(secrets: readonly SigningSecret[]): TokenSigners {
  let current = secrets;
  const signer = (purpose: string): TokenSigner => {
    let keysOf: readonly SigningSecret[] | undefined;
    let keys: readonly Buffer[] = [];
    const derived = () => {
      if (keysOf !== current) keys = current.map(({ bytes }) => deriveKey(bytes, purpose));
      keysOf = current;
      return keys;
    };
    return {
      sign(content) {
        const text = Buffer.from(JSON.stringify(content)).toString("base64url");
        return `${text}.${macOf(derived()[0] as Buffer, text).toString("base64url")}`;
      },
      open(text) {
        const [, content = "", signature = ""] =
          /^([\w-]+)\.([\w-]{43})$/.exec(text.slice(0, MAX_CHARACTERS + 1)) ?? [];
        if (content === "" || text.length > MAX_CHARACTERS) return undefined;
        const given = Buffer.from(signature, "base64url");
        const isOurs = derived().some((key) => timingSafeEqual(macOf(key, content), given));
        return isOurs ? (JSON.parse(Buffer.from(content, "base64url").toString()) as object) : undefined;
      },
    };
  };
  return {
    console: signer("console"),
    signIn: signer("sign-in"),
    view: signer("view"),
    use(next) {
      current = next;
    },
  };
}

/** `purpose` separates the keys from each other and from everything else that is derived from a secret. */
function deriveKey(secret: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", `antechamber token ${purpose}`, 32));
}

function macOf(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
