import { z } from "zod";
import { type Kind, listOf, printable, refusing, text, trimmed, word } from "../kinds.ts";
import { ofModeJwt, type Setting } from "../setting.ts";
import { faultOfAlgorithm, faultOfKeySetUrl } from "../values.ts";

// The kinds of the settings that say whose tokens are believed.
const issuer = { schema: printable, allowed: "text, usually a URL", placeholder: "issuer" } as const satisfies Kind;
const audience = {
  schema: listOf(text),
  allowed: "texts, each once",
  placeholder: "audience",
  isList: true,
} as const satisfies Kind;
const algorithms = {
  schema: listOf(refusing(z.string(), faultOfAlgorithm)),
  allowed: "names such as RS256, ES256 or EdDSA, each once",
  placeholder: "algorithm",
  isList: true,
} as const satisfies Kind;
const keySetUrl = {
  schema: refusing(printable, faultOfKeySetUrl),
  allowed: "an https URL, or http on this machine",
  placeholder: "url",
} as const satisfies Kind;

/** The settings of authentication: who may call, and how callers prove who they are. */
export const authenticationSettings = {
  auth: {
    ...word("mode", ["local", "key", "jwt", "proxy"]),
    default: "local",
    description:
      "Authentication of callers: local needs no credential and listens on loopback or a socket only, key needs an API key (antechamber keys create), jwt a token of an issuer, and proxy trusts the identity that a proxy sends",
  },
  jwtIssuer: {
    ...issuer,
    ...ofModeJwt,
    description: "The value of iss that tokens must have",
  },
  jwtAudience: {
    ...audience,
    ...ofModeJwt,
    description: "Accepted values of aud; a token must have at least one of them",
  },
  jwtAlgorithms: {
    ...algorithms,
    ...ofModeJwt,
    description: "The signature algorithms that are accepted",
  },
  jwtKeySetUrl: {
    ...keySetUrl,
    ...ofModeJwt,
    description: "The URL of the issuer's public keys (a JSON Web Key Set)",
  },
  jwtRoleClaim: {
    schema: text,
    allowed: "the name of a claim",
    placeholder: "claim",
    ...ofModeJwt,
    default: "role",
    description: "The claim with the role: customer, agent, service, reporter or administrator",
  },
  jwtCustomerClaim: {
    schema: text,
    allowed: "the name of a claim, such as sub",
    placeholder: "claim",
    ...ofModeJwt,
    default: "customerId",
    description: "The claim with the customer for whom a token of the role customer acts",
  },
  jwtAgentClaim: {
    schema: text,
    allowed: "the name of a claim, such as sub",
    placeholder: "claim",
    ...ofModeJwt,
    default: "agentId",
    description: "The claim with the agent for whom a token of the role agent acts",
  },
  jwtDefaultRole: {
    ...word("role", ["none", "customer", "agent", "service", "reporter", "administrator"]),
    ...ofModeJwt,
    default: "none",
    description: "The role of a token without the claim; with none it is refused",
  },
  logoutIssuer: {
    ...issuer,
    default: "",
    description:
      "The value of iss that logout tokens must have, which an identity provider sends to /oidc/backchannel-logout; by default jwtIssuer",
  },
  logoutAudience: {
    ...audience,
    default: "",
    description:
      "Accepted values of aud of logout tokens: the client id of each application at the identity provider; by default jwtAudience",
  },
  logoutAlgorithms: {
    ...algorithms,
    default: "",
    description: "The signature algorithms that are accepted for logout tokens; by default jwtAlgorithms",
  },
  logoutKeySetUrl: {
    ...keySetUrl,
    default: "",
    description: "The URL of the public keys that verify logout tokens; by default jwtKeySetUrl",
  },
  proxySecret: {
    schema: trimmed.regex(/^(?:[\x21-\x7e]{32,512})?$/),
    allowed: "32 to 512 visible ASCII characters",
    placeholder: "secret",
    parse: (secret: string) => (secret === "" ? undefined : secret),
    isSecret: true,
    auth: "proxy",
    default: "",
    description: "Secret that the trusted proxy sends in the header antechamber-secret",
  },
} as const satisfies Record<string, Setting>;
