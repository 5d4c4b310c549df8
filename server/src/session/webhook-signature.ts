import { createHmac, randomBytes } from "node:crypto";

/*
 * Signatures of Standard Webhooks (https://www.standardwebhooks.com): symmetric, version `v1`.
 */

/** Length of a new secret in bytes. The standard allows 24 to 64. */
const SECRET_BYTES = 32;
const PREFIX = "whsec_";

/** The three headers of a signed message. */
export interface SignatureFields {
  readonly "webhook-id": string;
  /** Seconds since 1970. */
  readonly "webhook-timestamp": string;
  /** A signature for each secret, separated by spaces. */
  readonly "webhook-signature": string;
}

/** Creates a secret in the form that receivers configure: `whsec_` and base64. */
export function newWebhookSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString("base64");
}

/**
 * Returns the headers that sign a message. `secrets` have the form of `newWebhookSecret`; the message gets a signature
 * of each, so that receivers accept it with the old and the new secret while one replaces the other. `now` is the time
 * of the attempt (Unix ms): receivers refuse a timestamp that is some minutes old.
 */
export function sign(id: string, body: string, secrets: readonly string[], now: number): SignatureFields {
  const timestamp = String(Math.floor(now / 1000));
  const content = `${id}.${timestamp}.${body}`;
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), "base64");
    return `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
  });
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
}
