import { problemStatus } from "@antechamber/client/protocol";
import type { Reason } from "../../session/errors.ts";
import { MAX_BODY_BYTES } from "../identity.ts";
import { problemResponse } from "../problems.ts";
import { describeHeaders } from "./headers.ts";
import { type Json, ref } from "./schemas.ts";

/** The codes that this service answers with: those of the protocol for which it has a reason. */
export type Code = Reason["code"];

/** When each refusal is given. Status, title and detail are not told here but taken from the answers. */
const when: Readonly<Record<Code, string>> = {
  "already-exists":
    "the session has another value of an id that the request gives, or the visit belongs to another live session; `field` names the id",
  "invalid-request":
    "malformed JSON, a body that is no object, an id that is no string, too long or with control characters, headers that are repeated or contradict each other, in mode local a `Host` that is not this machine; `errors` lists each fault with its place",
  "nothing-to-associate":
    "no id was given, neither in headers nor in the body (a proxy may have dropped the headers)",
  "credential-required": "the request carries no key",
  "invalid-credential": "the key is unknown, expired, revoked or malformed",
  "identity-mismatch": "the key may not assert an id that the request gives",
  "role-not-permitted": "the role of the key may not do this",
  "session-not-found":
    "no live session has this id: it is unknown, malformed, forged, expired, ended, or out of the caller's reach",
  "not-found": "there is nothing at this path",
  "method-not-allowed": "the path does not take this method; `Allow` lists those that it takes",
  "body-too-large": "the body is longer than 16 KiB",
  "unsupported-media-type": "there is a body and it is not declared as JSON",
  unavailable:
    "the store cannot do this now (disk full, overload, stopping); `Retry-After` tells how long to wait",
};

/** A reason of each kind: the examples are what is answered to it. */
const samples: { readonly [C in Code]: Extract<Reason, { code: C }> } = {
  "already-exists": { code: "already-exists", field: "customerId" },
  "invalid-request": {
    code: "invalid-request",
    errors: [{ in: "body", name: "visitId", detail: "visitId is not a string." }],
  },
  "nothing-to-associate": { code: "nothing-to-associate" },
  "credential-required": { code: "credential-required" },
  "invalid-credential": { code: "invalid-credential" },
  "identity-mismatch": { code: "identity-mismatch", field: "customerId" },
  "role-not-permitted": { code: "role-not-permitted" },
  "session-not-found": { code: "session-not-found" },
  "not-found": { code: "not-found" },
  "method-not-allowed": { code: "method-not-allowed", allow: "GET, HEAD, POST, OPTIONS" },
  "body-too-large": { code: "body-too-large", limit: MAX_BODY_BYTES },
  "unsupported-media-type": { code: "unsupported-media-type" },
  unavailable: { code: "unavailable", retryAfterSeconds: 1 },
};

const REQUEST_ID = "checkout-81";

/**
 * The responses to the refusals of an operation, by status. Codes under one status share a response,
 * whose schema names them all. An answer to HEAD has no body.
 */
export function refusals(codes: readonly Code[], method?: "head"): Json {
  const byStatus = Map.groupBy(codes, (code) => problemStatus[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: group.map((code) => `\`${code}\`: ${when[code]}.`).join("\n\n"),
        headers: describeHeaders(...group.map((code) => answerTo(code).headers)),
        ...(method === "head" ? {} : { content: problemContent(status, group) }),
      },
    ]),
  );
}

function problemContent(status: number, codes: readonly Code[]): Json {
  const examples = codes.map((code) => [
    code,
    { value: JSON.parse(String(answerTo(code).body)) as unknown },
  ]);
  return {
    "application/problem+json": {
      schema: {
        type: "object",
        allOf: [ref("schemas", "Problem")],
        properties: { status: { const: status }, code: { enum: codes } },
      },
      examples: Object.fromEntries(examples) as Json,
    },
  };
}

function answerTo(code: Code) {
  return problemResponse(samples[code], REQUEST_ID);
}
