import { z } from "zod";
import { listOf, orNull, printable, refusing, text, trimmed, word } from "../kinds.ts";
import { ofModeJwt, type Setting } from "../setting.ts";
import { faultOfConsoleUrl, faultOfTraceUrl } from "../values.ts";

/** The settings of the web pages for operators and support agents. */
export const consoleSettings = {
  console: {
    ...word("when", ["local", "true", "false"]),
    schema: z.union([z.boolean().transform(String), trimmed]).pipe(z.enum(["local", "true", "false"])),
    default: "local",
    description:
      "Whether the console, web pages for operators and support agents, is served at /console; local serves it only with auth local",
  },
  consoleUrl: {
    schema: refusing(printable, faultOfConsoleUrl),
    allowed: "an https URL, or http on this machine, such as https://sessions.example/console",
    placeholder: "url",
    parse: (url: string) => (url === "" ? null : url.replace(/\/$/, "")),
    default: "",
    description:
      "Address at which browsers reach the console, for sign-in at an identity provider; with https, its cookies need no X-Forwarded-Proto",
  },
  consoleClientId: {
    schema: printable,
    allowed: "text",
    placeholder: "id",
    parse: orNull,
    ...ofModeJwt,
    description:
      "Client id of the console at the identity provider (jwtIssuer); people then sign in there, and need not paste a token",
  },
  consoleClientSecret: {
    schema: z.string().regex(/^\P{Cc}*$/u),
    allowed: "text without control characters",
    placeholder: "secret",
    parse: orNull,
    isSecret: true,
    ...ofModeJwt,
    description: "Client secret of the console at the identity provider; without it, the console is a public client",
  },
  consoleScopes: {
    schema: listOf(text),
    allowed: "scopes, each once",
    placeholder: "scope",
    isList: true,
    ...ofModeJwt,
    default: "openid",
    description: "Scopes that the console asks the identity provider for, so that the ID token has the role",
  },
  traceUrl: {
    schema: refusing(printable, faultOfTraceUrl),
    allowed: "an http or https URL with {traceId} in it",
    placeholder: "url",
    parse: orNull,
    default: "",
    description: "Address to which the console links the trace of a recorded request, with {traceId} in it",
  },
} as const satisfies Record<string, Setting>;
