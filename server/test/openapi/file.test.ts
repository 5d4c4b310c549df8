// runs: once

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MAX_RECORD_BYTES, MAX_RECORDS, type Problem, problemStatus } from "@antechamber/client/protocol";
import { Validator } from "@seriousme/openapi-schema-validator";
import { parse } from "yaml";
import { proxyHeaders } from "../../src/http/auth/trusted-proxy-auth.ts";
import { logoutError } from "../../src/http/handlers/backchannel-logout.ts";
import { docsFiles } from "../../src/http/handlers/docs-page.ts";
import { MAX_BODY_BYTES } from "../../src/http/parse/identity.ts";
import { MAX_RECORDS_BODY_BYTES } from "../../src/http/parse/record-body.ts";
import { problemResponse } from "../../src/http/problems.ts";
import { version } from "../../src/runtime/version.ts";
import { MAX_ID_CHARACTERS } from "../../src/session/caller-ids.ts";
import type { Reason } from "../../src/session/errors.ts";
import { idFields } from "../../src/session/fields.ts";

/*
 * Compares the parts that are both in the code and in `server/openapi.yaml`: codes, titles, statuses, texts, limits and
 * names. `truth.test.ts` compares the document with the responses of a server.
 */

interface Schema {
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly maxLength?: number;
  readonly maxItems?: number;
}

interface Document extends Readonly<Record<string, unknown>> {
  readonly info: { readonly version: string };
  readonly paths: {
    readonly "/sessions": { readonly get: { readonly parameters: readonly { $ref: string }[] } };
    readonly "/sessions/{sessionId}/requests": {
      readonly post: { readonly requestBody: { readonly description: string } };
    };
    readonly "/docs/{file}": { readonly parameters: readonly { readonly schema: Schema }[] };
  };
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly parameters: Readonly<Record<string, { readonly name: string }>>;
    readonly examples: Readonly<Record<string, { readonly value: unknown }>>;
    readonly responses: Readonly<Record<string, Response>>;
    readonly securitySchemes: Readonly<Record<string, { name?: string; description: string }>>;
  };
}

interface Response {
  readonly content?: Readonly<
    Record<string, { readonly examples: Readonly<Record<string, { readonly value?: unknown }>> }>
  >;
  readonly "x-in-mode"?: Readonly<Record<string, Response>>;
}

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
const text = read("openapi.yaml");
const document = parse(text) as Document;
const { info, paths, components } = document;
const { schemas, parameters, examples, responses, securitySchemes } = components;

const requestId = "checkout-81";

/** Reasons whose responses are the document's examples. Only `method-not-allowed` has no example. */
const reasons: readonly Reason[] = [
  { code: "already-exists", field: "customerId" },
  {
    code: "invalid-request",
    errors: [{ in: "body", name: "visitId", detail: "visitId is not a string." }],
  },
  { code: "nothing-to-associate" },
  { code: "rotation-limit" },
  { code: "session-required" },
  { code: "request-under-way", retryAfterSeconds: 1 },
  { code: "idempotency-key-reused" },
  { code: "credential-required" },
  { code: "invalid-credential" },
  { code: "identity-mismatch", field: "customerId" },
  { code: "role-not-permitted", allowed: ["reporter", "administrator"] },
  { code: "session-not-found" },
  { code: "not-found" },
  { code: "precondition-failed" },
  { code: "body-too-large", limit: MAX_BODY_BYTES },
  { code: "unsupported-media-type", refused: "type" },
  { code: "request-timeout" },
  {
    code: "too-many-requests",
    retryAfterSeconds: 2,
    quota: { name: "requests-per-address", count: 60_000, windowSeconds: 60 },
  },
  { code: "unavailable", retryAfterSeconds: 1 },
];

function problemOf(reason: Reason, status?: number): unknown {
  return JSON.parse(problemResponse(reason, requestId, { status }).body as string);
}

test("the file is valid OpenAPI 3.1, and has this version of the service", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, "3.1");
  assert.equal(info.version, version);
});

test("openapi.json, which the service reads, is the file as JSON", () => {
  assert.deepEqual(JSON.parse(read("openapi.json")), document, "Run npm run docs:write.");
});

test("the file has the codes and statuses of the protocol", () => {
  const { code, status } = schemas["Problem"]?.properties ?? {};
  assert.deepEqual(code?.enum, Object.keys(problemStatus));
  assert.deepEqual(status?.enum, [...new Set(Object.values(problemStatus))]);
  const codes = [...reasons.map((reason) => reason.code), "method-not-allowed"];
  assert.deepEqual(codes.toSorted(), Object.keys(problemStatus).toSorted());
});

for (const reason of reasons) {
  test(`the example of ${reason.code} is the response to it`, () => {
    assert.deepEqual(examples[reason.code]?.value, problemOf(reason));
  });
}

test("the examples of refusals that differ from those of their code are the responses", () => {
  const all = Object.entries(responses).flatMap(([name, response]) => [
    [name, response] as const,
    ...Object.values(response["x-in-mode"] ?? {}).map((other) => [name, other] as const),
  ]);
  const own = all.flatMap(([name, { content }]) =>
    Object.entries(content?.["application/problem+json"]?.examples ?? {})
      .filter(([, { value }]) => value !== undefined)
      .map(([code, { value }]) => [`${name} ${code}`, value]),
  );
  const reasonOf = (code: string) => reasons.find((reason) => reason.code === code) as Reason;
  const logoutFault = {
    in: "body",
    name: "logout_token",
    detail: "Send the logout token as logout_token in the form.",
  };
  const logoutReason = { code: "invalid-request", errors: [logoutFault] } as Reason;
  assert.deepEqual(Object.fromEntries(own), {
    "InvalidLogout invalid-request": logoutError(problemOf(logoutReason) as Problem),
    "ApiKeyNotFound not-found": problemOf({ code: "not-found", what: "api-key" }),
    "WebhookNotFound not-found": problemOf({ code: "not-found", what: "webhook" }),
    "RecordsTooLarge body-too-large": problemOf({
      code: "body-too-large",
      limit: MAX_RECORDS_BODY_BYTES,
    }),
    "ForwardAuthForbidden invalid-request": problemOf(reasonOf("invalid-request"), 403),
    "ForwardAuthUnavailable too-many-requests": problemOf(reasonOf("too-many-requests"), 503),
  });
});

test("the file has the ids of a session wherever a session is described", () => {
  assert.deepEqual(schemas["IdField"]?.enum, idFields);
  const { Ids, Identity } = schemas;
  assert.deepEqual(Object.keys(Ids?.properties ?? {}), idFields);
  assert.deepEqual(Object.keys(Identity?.properties ?? {}), ["state", ...idFields]);
  assert.deepEqual(Identity?.required, ["state", ...idFields]);
  const filter = paths["/sessions"].get.parameters.map(({ $ref }) => $ref.split("/").at(-1) ?? "");
  const filterNames = filter.map((name) => parameters[name]?.name);
  for (const field of idFields) {
    assert.ok(filterNames.includes(field), `GET /sessions has no parameter ${field}`);
  }
});

test("the file has the limits and the names of the code", () => {
  for (const name of ["Id", "IdOrNull", "IdGiven", "IdInHeader"]) {
    assert.equal(schemas[name]?.maxLength, MAX_ID_CHARACTERS, name);
  }
  assert.equal(schemas["RequestRecords"]?.maxItems, MAX_RECORDS);
  assert.match(schemas["RequestRecord"]?.description ?? "", new RegExp(` ${MAX_RECORD_BYTES} `));
  const body = paths["/sessions/{sessionId}/requests"].post.requestBody.description;
  assert.ok(body.includes(` ${MAX_RECORDS_BODY_BYTES} bytes`), body);
  assert.deepEqual(paths["/docs/{file}"].parameters[0]?.schema.enum, docsFiles);
  const { proxySecret, proxyRole } = securitySchemes;
  assert.equal(proxySecret?.name, proxyHeaders.secret);
  assert.equal(proxyRole?.name, proxyHeaders.role);
  for (const name of [proxyHeaders.role, proxyHeaders.customerId, proxyHeaders.agentId]) {
    assert.ok(proxySecret?.description.includes(`\`${name}\``), name);
  }
});
