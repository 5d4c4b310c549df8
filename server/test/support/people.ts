import type { JWTPayload } from "jose";
import type { AuthMode, Config } from "../../src/config/config.ts";
import { parseRange } from "../../src/network/addresses.ts";
import type { Principal } from "../../src/session/permissions.ts";
import type { ApiKey } from "../../src/store/ports/credentials.ts";
import { keyFor } from "./in-process.ts";
import { startIssuer } from "./issuer.ts";

/** An access mode of a server, and the credentials that people send. */
export interface People<Name extends string> extends AsyncDisposable {
  /** Settings of the server. */
  readonly config: Partial<Config>;
  readonly keys: readonly ApiKey[];
  /** Headers of each request of a person, by role. */
  readonly headers: Readonly<Record<Name, Readonly<Record<string, string>>>>;
  /** Headers of an attacker. */
  readonly stranger: Readonly<Record<string, string>>;
}

type Headers = Readonly<Record<string, string>>;

const pretending: Headers = { authorization: "Bearer 6f0c1b2e" };

/** Sets up `people` in this access mode. In mode `local`, the server does not distinguish them. */
export async function introduce<Name extends string>(
  mode: AuthMode,
  people: Readonly<Record<Name, Principal>>,
): Promise<People<Name>> {
  const names = Object.keys(people) as Name[];
  const forEach = (headersOf: (principal: Principal) => Headers) =>
    Object.fromEntries(names.map((name) => [name, headersOf(people[name])])) as Record<Name, Headers>;
  const nothingToClose = { [Symbol.asyncDispose]: () => Promise.resolve() };
  switch (mode) {
    case "local":
      return {
        ...nothingToClose,
        config: { auth: mode },
        keys: [],
        headers: forEach(() => ({})),
        stranger: {},
      };
    case "key": {
      const keys: ApiKey[] = [];
      const headers = forEach((principal) => {
        const { key, bearer } = keyFor(principal);
        keys.push(key);
        return { authorization: bearer };
      });
      return { ...nothingToClose, config: { auth: mode }, keys, headers, stranger: pretending };
    }
    case "jwt": {
      const issuer = await startIssuer();
      const tokens = new Map<Principal, string>();
      for (const name of names) {
        const token = await issuer.token(claimsOf(people[name]), {
          lifetime: 86_400,
        });
        tokens.set(people[name], token);
      }
      return {
        config: { auth: mode, tokens: issuer.config },
        keys: [],
        headers: forEach((principal) => ({ authorization: `Bearer ${tokens.get(principal)}` })),
        stranger: pretending,
        [Symbol.asyncDispose]: () => issuer[Symbol.asyncDispose](),
      };
    }
    case "proxy": {
      const proxySecret = "0123456789abcdef".repeat(2);
      const loopback = parseRange("127.0.0.1");
      return {
        ...nothingToClose,
        config: { auth: mode, proxySecret, trustedProxies: loopback ? [loopback] : [] },
        keys: [],
        headers: forEach(({ role, customerId, agentId }) => ({
          "antechamber-secret": proxySecret,
          "antechamber-role": role,
          "antechamber-customer": customerId ?? "",
          "antechamber-agent": agentId ?? "",
        })),
        stranger: { "antechamber-role": "administrator", "antechamber-secret": "guessed" },
      };
    }
  }
}

function claimsOf({ role, customerId, agentId }: Principal): JWTPayload {
  return { role, customerId, agentId };
}
