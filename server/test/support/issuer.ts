import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import type { TokenConfig } from "../../src/config/config.ts";

/** Behaviour of a JWKS server. */
export type KeySetResponder = (response: ServerResponse, keySet: string) => void;

/** An issuer of tokens: a real server for the JWKS, and the keys to sign with. */
export interface Issuer extends AsyncDisposable {
  readonly config: TokenConfig;
  /** Number of requests for the JWKS. */
  readonly fetches: number;
  /** The current public key, as text, which an attacker may have too. */
  publicKey(): Promise<string>;
  /** Returns a token for `claims`, which is valid except for the changes in `more`. */
  token(claims: JWTPayload, more?: TokenFaults): Promise<string>;
  /** From now on, signs with a new key. The JWKS then has both keys, or only the new one. */
  rotate(keeping?: "both" | "new"): Promise<void>;
  /** Sets the server's behaviour from now on. Without an argument, it is the normal one. */
  answer(how?: KeySetResponder): void;
  /** Stops listening; `resume` listens again. */
  vanish(): Promise<void>;
  resume(): Promise<void>;
}

/** Differences of a token from a valid one. */
export interface TokenFaults {
  readonly header?: Readonly<Record<string, unknown>>;
  /** The issuer's time when it signs, in Unix ms. */
  readonly now?: number;
  /** Lifetime in seconds; `null` for a token without an expiry. */
  readonly lifetime?: number | null;
  readonly audience?: string | string[];
  readonly issuer?: string;
  /** True to sign with a key that is in no JWKS. */
  readonly stranger?: boolean;
}

const AUDIENCE = "antechamber";
/** A critical header parameter (RFC 7515) that only the issuer knows. */
export const EXTENSION = "urn:example:extension";

async function makeKey(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" };
  return { kid, privateKey, publicKey, jwk };
}

/** Starts an issuer on a free port of this machine. */
export async function startIssuer(): Promise<Issuer> {
  let count = 1;
  const first = await makeKey("key-1");
  const stranger = await makeKey("key-1");
  let signing = first;
  let set = [first.jwk];
  let fetches = 0;
  const respondNormally: KeySetResponder = (response, keySet) => {
    response.setHeader("content-type", "application/json").end(keySet);
  };
  let answer = respondNormally;
  const server = createServer((_, response) => {
    fetches++;
    answer(response, JSON.stringify({ keys: set }));
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}/`;

  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });

  return {
    config: {
      issuer,
      audiences: [AUDIENCE],
      algorithms: ["ES256"],
      keySetUrl: `${issuer}keys`,
      claims: { role: "role", customerId: "customerId", agentId: "agentId" },
      defaultRole: undefined,
    },
    get fetches() {
      return fetches;
    },
    publicKey: () => exportSPKI(signing.publicKey),
    token(claims, more = {}) {
      const at = Math.floor((more.now ?? Date.now()) / 1000);
      const { lifetime = 600 } = more;
      const times = lifetime === null ? { iat: at } : { iat: at, exp: at + lifetime };
      return new SignJWT({ ...times, ...claims })
        .setProtectedHeader({ alg: "ES256", kid: signing.kid, ...more.header })
        .setAudience(more.audience ?? AUDIENCE)
        .setIssuer(more.issuer ?? issuer)
        .sign(more.stranger === true ? stranger.privateKey : signing.privateKey, {
          crit: { [EXTENSION]: true },
        });
    },
    async rotate(keeping = "both") {
      const next = await makeKey(`key-${++count}`);
      set = keeping === "both" ? [...set, next.jwk] : [next.jwk];
      signing = next;
    },
    answer(how = respondNormally) {
      answer = how;
    },
    vanish: close,
    resume: () => listen(port),
    async [Symbol.asyncDispose]() {
      if (server.listening) await close();
    },
  };
}
