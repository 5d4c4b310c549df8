import type { JWTPayload } from "jose";
import type { AuthMode, Config } from "../../src/config/config.ts";
import { parseRange } from "../../src/network/addresses.ts";
import type { Principal } from "../../src/session/permissions.ts";
import type { ApiKey } from "../../src/store/ports/credentials.ts";
import { keyFor } from "./in-process.ts";
import { startIssuer } from "./issuer.ts";

/** A server's mode of access, and what people send to be known to it. */
export interface People<Name extends string> extends AsyncDisposable {
  /** What the server is to be started with. */
  readonly config: Partial<Config>;
  readonly keys: readonly ApiKey[];
  /** The headers of each request of theirs. */
  readonly headers: Readonly<Record<Name, Readonly<Record<string, string>>>>;
  /** What somebody sends who pretends. */
  readonly stranger: Readonly<Record<string, string>>;
}

type Headers = Readonly<Record<string, string>>;

const pretending: Headers = { authorization: "Bearer 6f0c1b2e" };

/** Makes `people` known to the mode; in mode `local` all are alike. */
export async function introduce<Name extends string>(
  mode: AuthMode,
  people: Readonly<Record<Name, Principal>>,
): Promise<People<Name>> {
  const names = Object.keys(people) as Name[];
  const forEach = (headersOf: (principal: Principal) => Headers) =>
    Object.fromEntries(names.map((name) => [name, headersOf(people[name])])) as Record<
      Name,
      Headers
    >;
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
