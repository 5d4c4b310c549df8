/** Signs texts with a secret (HMAC with SHA-256). */
export interface Signer {
  /** Returns the signature in hexadecimal digits. */
  sign(text: string): Promise<string>;
  /** Returns whether a signature is that of the text, in constant time. */
  verify(text: string, signature: string): Promise<boolean>;
}

const bytes = new TextEncoder();

export function createSigner(secret: string): Signer {
  let imported: Promise<CryptoKey> | undefined;
  const key = () => {
    imported ??= importKey(secret);
    return imported;
  };
  return {
    async sign(text) {
      const signature = await crypto.subtle.sign("HMAC", await key(), bytes.encode(text));
      return Array.from(new Uint8Array(signature), (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
    async verify(text, signature) {
      if (!/^[0-9a-f]{64}$/.test(signature)) return false;
      const given = Uint8Array.from(signature.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
      return await crypto.subtle.verify("HMAC", await key(), given, bytes.encode(text));
    },
  };
}

function importKey(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);
}
