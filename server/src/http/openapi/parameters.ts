import { MAX_ID_CHARACTERS } from "../../session/caller-ids.ts";
import { exampleIds, type Json, ref } from "./schemas.ts";

const headerId: Json = { type: "string", maxLength: MAX_ID_CHARACTERS };

function idHeader(name: string, description: string, example: string): Json {
  return { name, in: "header", required: false, description, schema: headerId, example };
}

/** For proxies that drop header names with underscores, as nginx does unless told otherwise. */
function dashed(underscored: string): string {
  return `The same as \`${underscored}\`, for proxies that drop names with underscores.`;
}

const { agentId, customerId } = exampleIds;

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

/** What every operation on sessions takes: both identity headers, in both spellings. */
export const sessionHeaders: readonly Json[] = [
  "gkc_customerId",
  "gkc_agentId",
  "gkc-customerId",
  "gkc-agentId",
  "X-Request-Id",
].map((name) => ref("parameters", name));
