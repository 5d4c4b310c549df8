import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import type { TokenConfig } from "../../src/config/config.ts";

/** What a key-set server does with a request. */
export type Answer = (response: ServerResponse, keySet: string) => void;

/** Somebody who issues tokens: a real server for the key set, and the keys to sign with. */
export interface Issuer extends AsyncDisposable {
  readonly config: TokenConfig;
  /** How often the key set was asked for. */
  readonly fetches: number;
  /** The public key in use, as text: what an attacker has. */
  publicKey(): Promise<string>;
  /** A token for `claims`, right in everything that `more` does not say otherwise. */
  token(claims: JWTPayload, more?: Crooked): Promise<string>;
  /** Signs with a new key from now on; the set has both, or the new one alone. */
  rotate(keeping?: "both" | "new"): Promise<void>;
  /** How the key set is answered from now on; without an argument as it should be. */
  answer(how?: Answer): void;
  /** Nobody listens there any more; `resume` listens again. */
  vanish(): Promise<void>;
  resume(): Promise<void>;
}

/** What is to be wrong, or else, with a token. */
export interface Crooked {
  readonly header?: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970. */
  readonly now?: number;
  /** Seconds; `null`: for ever. */
  readonly lifetime?: number | null;
  readonly audience?: string | string[];
  readonly issuer?: string;
  /** Whether the key signs that no set has. */
  readonly stranger?: boolean;
}

const AUDIENCE = "antechamber";
/** A header member that nobody but the issuer understands. */
export const EXTENSION = "urn:example:extension";

async function makeKey(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" };
  return { kid, privateKey, publicKey, jwk };
}

/** Starts one on a free port of this machine. */
export async function startIssuer(): Promise<Issuer> {
  let count = 1;
  const first = await makeKey("key-1");
  const stranger = await makeKey("key-1");
  let signing = first;
  let set = [first.jwk];
  let fetches = 0;
  const asItShould: Answer = (response, keySet) => {
    response.setHeader("content-type", "application/json").end(keySet);
  };
  let answer = asItShould;
  const server = createServer((_, response) => {
    fetches++;
    answer(response, JSON.stringify({ keys: set }));
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
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
    answer(how = asItShould) {
      answer = how;
    },
    vanish: close,
    resume: () => listen(port),
    async [Symbol.asyncDispose]() {
      if (server.listening) await close();
    },
  };
}
