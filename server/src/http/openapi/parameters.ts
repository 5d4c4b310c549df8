import { MAX_ID_CHARACTERS } from "../../session/caller-ids.ts";
import { type Json, ref } from "./schemas.ts";

const headerId: Json = { type: "string", maxLength: MAX_ID_CHARACTERS };

function idHeader(name: string, description: string, example: string): Json {
  return { name, in: "header", required: false, description, schema: headerId, example };
}

/** For proxies that drop header names with underscores, as nginx does unless told otherwise. */
function dashed(underscored: string): string {
  return `The same as \`${underscored}\`, for proxies that drop names with underscores. Both with different values are refused.`;
}

/** Everything that an operation takes outside its body. */
export const parameters: Json = {
  sessionId: {
    name: "sessionId",
    in: "path",
    required: true,
    description:
      "The session's id. Whatever else stands here is an unknown session, never a malformed request.",
    schema: { type: "string" },
  },
  gkc_agentId: idHeader("gkc_agentId", "The agent. Empty means not given.", "agent-7"),
  "gkc-agentId": idHeader("gkc-agentId", dashed("gkc_agentId"), "agent-7"),
  gkc_customerId: idHeader(
    "gkc_customerId",
    "The customer. Empty means not given.",
    "customer-4711",
  ),
  "gkc-customerId": idHeader("gkc-customerId", dashed("gkc_customerId"), "customer-4711"),
};

/** The two identity headers in both spellings, as references. */
export const identityHeaders: readonly Json[] = [
  "gkc_customerId",
  "gkc_agentId",
  "gkc-customerId",
  "gkc-agentId",
].map((name) => ref("parameters", name));

function always(description: string, value: string): Json {
  return { description, required: true, schema: { const: value } };
}

/** The headers of answers. */
export const headers: Json = {
  "Cache-Control": always("An answer is of the moment it was made.", "no-store"),
  "Content-Location": {
    description:
      "The address of the session that the body describes: of a new one when there was none to retrieve.",
    required: true,
    schema: { type: "string", format: "uri-reference" },
  },
  "Retry-After": {
    description: "Seconds to wait before the next attempt.",
    required: true,
    schema: { type: "integer", minimum: 1 },
  },
  "WWW-Authenticate": {
    description: "How to authenticate (RFC 9110, section 11.6.1).",
    required: true,
    schema: { type: "string", pattern: "^Bearer" },
  },
};
