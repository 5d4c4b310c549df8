import { randomKey } from "../session-operations.ts";
import type { ResolvedSession } from "./session-resolver.ts";
import { createSigner } from "./signer.ts";

/** The session of a request, and the request, which one part of an application passes on to another. */
export interface PassedSession {
  readonly found: ResolvedSession;
  readonly method: string;
  /** The path of the request, without its query. */
  readonly path: string;
}

/** Writes sessions into a request header, and reads them from it. */
export interface SessionPasser {
  /** Returns the value of the header. */
  write(passed: PassedSession): Promise<string>;
  /** Returns the session that was passed on; `null` if the header is missing, too old or not signed by this application. */
  read(header: string | null | undefined): Promise<PassedSession | null>;
}

/** The header's name. */
export const PASSED_SESSION = "antechamber-session";

/** Time (ms) for which a header is valid: it is for a request that is in progress. */
const VALIDITY_MS = 60_000;

/**
 * Creates the passer of an application. A client cannot forge the header, because it is signed: with the API key, or,
 * without an API key, with a secret of this process.
 */
export function createSessionPasser(key: string | undefined, now: () => number = Date.now): SessionPasser {
  const signer = createSigner(key?.trim() || secretOfProcess());
  return {
    async write(passed) {
      const text = encode(JSON.stringify({ ...passed, at: now() }, withoutData));
      return `${text}.${await signer.sign(`${PASSED_SESSION}:${text}`)}`;
    },
    async read(header) {
      const [text = "", signature = ""] = (header ?? "").split(".", 2);
      if (!(await signer.verify(`${PASSED_SESSION}:${text}`, signature))) return null;
      const passed = JSON.parse(decode(text)) as PassedSession & { readonly at: number };
      return Math.abs(now() - passed.at) <= VALIDITY_MS ? passed : null;
    },
  };
}

/** Leaves out the data of a session, which can be too large for a header. The reader retrieves them again. */
const withoutData = (name: string, value: unknown) => (name === "data" ? undefined : value);

const SECRET = Symbol.for("@antechamber/client: secret of the process");

/** Returns a secret that all copies of this module in a process share: bundlers make one for each part of a site. */
function secretOfProcess(): string {
  const shared = globalThis as { [SECRET]?: string };
  shared[SECRET] ??= randomKey();
  return shared[SECRET];
}

/** Encodes a text in base64url, because headers are limited to ASCII. */
function encode(text: string): string {
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
  return btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decode(text: string): string {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
}
