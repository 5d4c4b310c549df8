import { MAX_ID_CHARACTERS } from "../../session/caller-ids.ts";
import { EXAMPLE_SESSION_ID, exampleIds, type Json, ref } from "./schemas.ts";

const headerId: Json = { type: "string", maxLength: MAX_ID_CHARACTERS };

function idHeader(name: string, description: string, example: string): Json {
  return { name, in: "header", required: false, description, schema: headerId, example };
}

/** For proxies that drop header names with underscores, as nginx does unless told otherwise. */
function dashed(underscored: string): string {
  return `The same as \`${underscored}\`, for proxies that drop names with underscores.`;
}

const { agentId, customerId } = exampleIds;

const sessionIdHeader = { schema: { type: "string" }, example: EXAMPLE_SESSION_ID };

/** What a proxy tells of the request that it asks about. */
function original(name: string, description: string, example: string): Json {
  return { name, in: "header", required: false, description, schema: { type: "string" }, example };
}

/** Everything that an operation takes outside its body. */
export const parameters: Json = {
  sessionId: {
    name: "sessionId",
    in: "path",
    required: true,
    description:
      "The session's id. Whatever else stands here is an unknown session, never a malformed request.",
    schema: { type: "string", minLength: 1 },
  },
  gkc_customerId: idHeader("gkc_customerId", "The customer. Empty: not given.", customerId),
  gkc_agentId: idHeader("gkc_agentId", "The agent. Empty: not given.", agentId),
  "gkc-customerId": idHeader("gkc-customerId", dashed("gkc_customerId"), customerId),
  "gkc-agentId": idHeader("gkc-agentId", dashed("gkc_agentId"), agentId),
  "Idempotency-Key": {
    name: "Idempotency-Key",
    in: "header",
    required: false,
    description:
      "A value of the caller's own, new for each request: 1 to 255 visible ASCII characters, with or without double quotes around them. The same request under the same key is carried out once, and each repetition within 24 hours gets the first answer (draft-ietf-httpapi-idempotency-key-header).",
    schema: {
      type: "string",
      pattern: '^(?:"[ !#-\\[\\]-~]{1,255}"|[!#-\\[\\]-~]{1,255})$',
    },
    example: '"7c5b0f0e-6b1d-4f6e-9f0e-2d8a6b1c3e55"',
  },
  durable: {
    name: "durable",
    in: "query",
    required: false,
    description:
      "Answer when the records are on the disk, not when they are accepted. Given, and neither `false` nor `0`: yes.",
    schema: { type: "string" },
    example: "true",
  },
  after: {
    name: "after",
    in: "query",
    required: false,
    description:
      "Where to go on: `next` of the page before, or the sequence of a request. The beginning by default.",
    schema: { type: "string", pattern: "^(?:\\d{1,15}(?:\\.\\d{1,2})?)?$" },
    example: "0",
  },
  limit: {
    name: "limit",
    in: "query",
    required: false,
    description: "The most lines of a page. It may have fewer where the records are long.",
    schema: { type: "integer", minimum: 1, maximum: 1000, default: 100 },
    example: 100,
  },
  gkc_sessionId: {
    name: "gkc_sessionId",
    in: "header",
    required: false,
    description: "The session, where the original request has it in a header.",
    ...sessionIdHeader,
  },
  "gkc-sessionId": {
    name: "gkc-sessionId",
    in: "header",
    required: false,
    description: dashed("gkc_sessionId"),
    ...sessionIdHeader,
  },
  sessionCookie: {
    name: "sessionId",
    in: "cookie",
    required: false,
    description:
      "The session, where the browser keeps it in a cookie. The setting `cookieName` gives it another name.",
    ...sessionIdHeader,
  },
  "X-Forwarded-Method": original(
    "X-Forwarded-Method",
    "The method of the original request (Caddy, Traefik).",
    "POST",
  ),
  "X-Forwarded-Uri": original(
    "X-Forwarded-Uri",
    "The path and the query of the original request (Caddy, Traefik). The query parameter `sessionId` may name the session, where `forwardAuthSources` has `query`.",
    "/help/search?q=returns",
  ),
  "X-Original-Method": original("X-Original-Method", "The same, as nginx users call it.", "POST"),
  "X-Original-URI": original(
    "X-Original-URI",
    "The same, as nginx users call it.",
    "/help/search?q=returns",
  ),
  "X-Forwarded-Host": original(
    "X-Forwarded-Host",
    "The host of the original request: the `service` of the record.",
    "shop.example",
  ),
  "X-Forwarded-Proto": original(
    "X-Forwarded-Proto",
    "`https` or `wss` as its first value makes the cookie of a new session `Secure`.",
    "https",
  ),
  "X-Request-Id": {
    name: "X-Request-Id",
    in: "header",
    required: false,
    description:
      "The caller's name for the request, for the log and for a refusal. Up to 64 letters, digits, `_`, `.` and `-`; the server makes its own in the place of another.",
    schema: { type: "string" },
    example: "checkout-81",
  },
};

/** The parameter of operations that may be repeated under a key. */
export const idempotencyKey: Json = ref("parameters", "Idempotency-Key");

/** What every operation on sessions takes: both identity headers, in both spellings. */
export const sessionHeaders: readonly Json[] = [
  "gkc_customerId",
  "gkc_agentId",
  "gkc-customerId",
  "gkc-agentId",
  "X-Request-Id",
].map((name) => ref("parameters", name));
