import type { HeaderFields } from "../messages.ts";
import { type Json, ref } from "./schemas.ts";

function header(description: string, schema: Json): Json {
  return { description, required: true, schema };
}

function identity(whose: string): Json {
  return header(`The ${whose} of the session, in UTF-8; empty where it has none.`, {
    type: "string",
  });
}

function quota(description: string, pattern: string): Json {
  const text = `${description} With \`too-many-requests\` alone.`;
  return { description: text, required: false, schema: { type: "string", pattern } };
}

/** The headers of the API's answers. Where a value never changes, the schema is that value. */
export const headers: Readonly<Record<string, Json>> = {
  "Cache-Control": header("What is said to one caller is not kept for another.", {
    const: "no-store",
  }),
  "X-Content-Type-Options": header("The content type is to be believed.", { const: "nosniff" }),
  "X-Request-Id": header(
    "The request's id in the server's log: the caller's, or one that the server made.",
    { type: "string", pattern: "^[\\w.-]{1,64}$" },
  ),
  "Content-Location": header(
    "The address of the session that the body describes: of a new one where there was none to retrieve.",
    { type: "string", pattern: "/sessions/[A-Za-z0-9_-]{40}$" },
  ),
  "Retry-After": header("Seconds to wait before the next attempt.", {
    type: "integer",
    minimum: 1,
  }),
  "RateLimit-Policy": quota(
    "What there is (draft-ietf-httpapi-ratelimit-headers): its name, `q` so many, `w` in so many seconds.",
    '^"[a-z-]+";q=\\d+(?:;w=\\d+)?$',
  ),
  RateLimit: quota(
    "What is left of it: `r` so many now, and more in `t` seconds.",
    '^"[a-z-]+";r=\\d+;t=\\d+$',
  ),
  gkc_sessionId: header("The id of the session that the body describes.", {
    type: "string",
    pattern: "^[A-Za-z0-9_-]{40}$",
  }),
  "gkc-sessionId": header("The session of the request; empty for a CORS preflight.", {
    type: "string",
    pattern: "^(?:[A-Za-z0-9_-]{40})?$",
  }),
  "gkc-customerId": identity("customer"),
  "gkc-agentId": identity("agent"),
  "gkc-visitId": identity("visit"),
  "gkc-globalVisitId": identity("global visit"),
  "Set-Cookie": {
    description: "Gives a new session to the browser. Only where the session is new.",
    required: false,
    schema: {
      type: "string",
      pattern:
        "^[^\\s=;]+=[A-Za-z0-9_-]{40}; Path=/(?:; Domain=[^\\s;]+)?(?:; Max-Age=[0-9]+)?; SameSite=(?:Lax|Strict|None)(?:; HttpOnly)?(?:; Secure)?$",
    },
  },
  "WWW-Authenticate": header("How to authenticate (RFC 9110, section 11.6.1).", {
    type: "string",
    pattern: "^Bearer\\b",
  }),
};

/** Headers of every refusal: the document describes them once, and not for each refusal. */
export const ofEveryRefusal = ["cache-control", "x-content-type-options", "x-request-id"];

/** Told by the content's own name, or about the connection alone. */
const ofTheTransfer = ["content-type", "connection"];

/** Describes the header fields that an answer is served with. */
export function describeHeaders(...served: readonly HeaderFields[]): Json {
  const fields = served.flatMap((each) => Object.entries(each));
  const described = fields
    .filter(([name]) => !ofTheTransfer.includes(name))
    .map(([name, value]) => describeHeader(name, value));
  return Object.fromEntries(described);
}

function describeHeader(name: string, value: string): [string, Json] {
  const known = Object.entries(headers).find(([proper]) => proper.toLowerCase() === name);
  if (known === undefined) return [properName(name), header("Always this.", { const: value })];
  const { schema } = known[1] as { readonly schema: Json };
  const isThis = schema["const"] === undefined || schema["const"] === value;
  return [known[0], isThis ? ref("headers", known[0]) : header("Always this.", { const: value })];
}

/** `content-security-policy` -> `Content-Security-Policy`. */
function properName(name: string): string {
  return name.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase());
}
