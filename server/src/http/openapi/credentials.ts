import type { Config } from "../../config/config.ts";
import { proxyHeaders } from "../auth/trusted-proxy-auth.ts";
import type { Code } from "./refusals.ts";
import type { Json } from "./schemas.ts";

/** The mode of access that a document is about. */
export type Auth = Config["auth"];

/** What a request without the right credential is refused with. */
export function credentialCodes(auth: Auth): Code[] {
  if (auth === "local") return [];
  // Whoever is not the trusted proxy is told one thing alone.
  return auth === "proxy" ? ["invalid-credential"] : ["credential-required", "invalid-credential"];
}

/** Returns the codes of refusals of a malformed head: in mode local for its `Host`, in mode key for a key in two headers. */
export function malformedHeadCodes(auth: Auth): Code[] {
  return auth === "local" || auth === "key" ? ["invalid-request"] : [];
}

/** Returns the members of a document that say which credential is required; none in mode `local`. */
export function securityOf(auth: Auth): {
  readonly security: readonly Json[];
  readonly securitySchemes?: Json;
} {
  if (auth === "local") return { security: [] };
  const securitySchemes = schemesOf(auth);
  const names = Object.keys(securitySchemes);
  // A key is in one of two headers; a proxy sends all of its headers.
  const security =
    auth === "key"
      ? names.map((name) => ({ [name]: [] }))
      : [Object.fromEntries(names.map((name) => [name, []]))];
  return { security, securitySchemes };
}

/** Returns the credentials for `/forward-auth`, where `x-api-key` belongs to the client. */
export function securityOfProxies(auth: Auth): { readonly security?: readonly Json[] } {
  return auth === "key" ? { security: [{ key: [] }] } : {};
}

function schemesOf(auth: Exclude<Auth, "local">): Readonly<Record<string, Json>> {
  switch (auth) {
    case "key":
      return {
        key: bearer("A key made by `antechamber keys create`."),
        apiKey: header(
          "x-api-key",
          "The same key, for clients that cannot send it otherwise. Together with `Authorization`: 400.",
        ),
      };
    case "jwt":
      return {
        token: {
          ...bearer(
            "A token of the issuer that the server is configured for, signed and not expired.",
          ),
          bearerFormat: "JWT",
        },
      };
    case "proxy":
      return {
        proxySecret: header(
          proxyHeaders.secret,
          `What the trusted proxy shows. It says who calls in \`${proxyHeaders.role}\` (\`customer\`, \`agent\`, \`reporter\` or \`administrator\`), and of a customer in \`${proxyHeaders.customerId}\`, of an agent in \`${proxyHeaders.agentId}\` whom they are.`,
        ),
        proxyRole: header(
          proxyHeaders.role,
          "The role of the caller, as the trusted proxy knows it.",
        ),
      };
  }
}

function bearer(description: string): Json {
  return { type: "http", scheme: "bearer", description };
}

function header(name: string, description: string): Json {
  return { type: "apiKey", in: "header", name, description };
}
