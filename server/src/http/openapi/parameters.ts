import { MAX_ID_CHARACTERS } from "../../session/caller-ids.ts";
import {
  EXAMPLE_SESSION_ID,
  exampleIds,
  type Json,
  NO_CONTROL_CHARACTERS,
  ref,
} from "./schemas.ts";

/** How to send a value that is not ASCII: a header carries only bytes. */
const OF_BYTES =
  "In UTF-8; bytes that are not valid UTF-8 are read as ISO-8859-1, which is what `fetch` sends for `ü`. `fetch` refuses characters beyond ISO-8859-1: encode the value to UTF-8 first, with one character for each byte.";

/**
 * Describes an optional parameter. Its example is one of the schema's `examples`, because pages such as Swagger
 * UI fill in an `example` or a `default` and then send it with every request.
 */
export function optional(
  place: "header" | "query" | "cookie",
  name: string,
  description: string,
  schema: Json,
  example?: string | number | boolean,
): Json {
  const examples = example === undefined ? {} : { examples: [example] };
  return { name, in: place, required: false, description, schema: { ...schema, ...examples } };
}

const text: Json = { type: "string" };

function idHeader(name: string, whose: string, example: string): Json {
  const dashed = name.replace("_", "-");
  const description = `The ${whose}. Empty counts as absent. Behind proxies that drop names with underscores, use \`${dashed}\` instead. ${OF_BYTES}`;
  const schema = { type: "string", maxLength: MAX_ID_CHARACTERS, pattern: NO_CONTROL_CHARACTERS };
  return optional("header", name, description, schema, example);
}

const { agentId, customerId } = exampleIds;

/** What a proxy tells of the request that it asks about. */
function original(name: string, description: string, example: string): Json {
  return optional("header", name, description, text, example);
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
  gkc_customerId: idHeader("gkc_customerId", "customer", customerId),
  gkc_agentId: idHeader("gkc_agentId", "agent", agentId),
  "Idempotency-Key": optional(
    "header",
    "Idempotency-Key",
    "A value chosen by the caller, new for each request: 1 to 255 visible ASCII characters, with or without double quotes around them. The same request with the same key is carried out once, and each repetition within 24 hours gets the first response (draft-ietf-httpapi-idempotency-key-header).",
    { type: "string", pattern: '^(?:"[ !#-\\[\\]-~]{1,255}"|[!#-\\[\\]-~]{1,255})$' },
    '"7c5b0f0e-6b1d-4f6e-9f0e-2d8a6b1c3e55"',
  ),
  durable: optional(
    "query",
    "durable",
    "Respond when the records are on the disk, not when they are accepted. Any value except `false` and `0` means yes.",
    { type: "boolean" },
    true,
  ),
  after: optional(
    "query",
    "after",
    "Where to continue: `next` of the previous page, or the sequence of a request. The beginning by default.",
    { type: "string", pattern: "^(?:\\d{1,15}(?:\\.\\d{1,2})?)?$" },
    "0",
  ),
  limit: optional(
    "query",
    "limit",
    "The maximum number of lines in a page, 100 by default. A page of long records may have fewer.",
    { type: "integer", minimum: 1, maximum: 1000 },
    100,
  ),
  gkc_sessionId: optional(
    "header",
    "gkc_sessionId",
    "The session id, if the original request has it in a header; `gkc-sessionId` is the same header.",
    text,
    EXAMPLE_SESSION_ID,
  ),
  sessionCookie: optional(
    "cookie",
    "sessionId",
    "The session id, if the browser has it in a cookie. The setting `cookieName` changes the name.",
    text,
    EXAMPLE_SESSION_ID,
  ),
  "X-Forwarded-Method": original(
    "X-Forwarded-Method",
    "The method of the original request (Caddy, Traefik).",
    "POST",
  ),
  "X-Forwarded-Uri": original(
    "X-Forwarded-Uri",
    "The path and the query of the original request (Caddy, Traefik). The query parameter `sessionId` may name the session if `forwardAuthSources` has `query`.",
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
  "X-Request-Id": optional(
    "header",
    "X-Request-Id",
    "The caller's name for the request, for the log and for a refusal. Up to 64 letters, digits, `_`, `.` and `-`; the server replaces any other value with its own.",
    text,
    "checkout-81",
  ),
};

/** The parameter of operations that may be repeated under a key. */
export const idempotencyKey: Json = ref("parameters", "Idempotency-Key");

/** The parameters of every operation on sessions: both identity headers, in one of their two spellings. */
export const sessionHeaders: readonly Json[] = [
  "gkc_customerId",
  "gkc_agentId",
  "X-Request-Id",
].map((name) => ref("parameters", name));
