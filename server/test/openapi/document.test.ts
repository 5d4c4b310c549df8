// runs: once

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { problemStatus } from "@antechamber/client/protocol";
import { Validator } from "@seriousme/openapi-schema-validator";
import { parseBasePath } from "../../src/config/base-path.ts";
import { startHost } from "./callers.ts";
import { assertValid } from "./conformance.ts";
import { documentOf, type Json, type Mode, modes, operationsOf } from "./description.ts";
import { provocations } from "./provocations.ts";

for (const mode of modes) {
  test(`${mode}: the document is valid OpenAPI 3.1`, async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(documentOf(mode)));
    assert.ok(valid, JSON.stringify(errors));
    assert.equal(validator.version, "3.1");
  });

  test(`${mode}: every example is valid by its schema`, () => {
    for (const { id, parameters, bodySchema = {}, bodyExamples, responses } of operationsOf(mode)) {
      for (const example of bodyExamples) assertValid(bodySchema, JSON.parse(example), id);
      for (const { name, schema, example } of parameters) {
        if (example !== undefined) assertValid(schema, example, `${id}, ${name}`);
      }
      for (const { content = {} } of responses) {
        for (const { schema = {}, examples = {} } of Object.values(content)) {
          for (const { value } of Object.values(examples)) assertValid(schema, value, id);
        }
      }
    }
  });

  test(`${mode}: every operation has an example of its body and of its response`, () => {
    // The page and its files, the document itself, and a token that only an identity provider can make.
    const exempt = ["docsPage", "docsFile", "openApiDocument", "backchannelLogout"];
    for (const { id, bodySchema, bodyExamples, responses } of operationsOf(mode)) {
      if (exempt.includes(id)) continue;
      if (bodySchema !== undefined) assert.ok(bodyExamples.length > 0, `${id}, body`);
      for (const { status, content = {} } of responses) {
        for (const [type, { examples = {} }] of Object.entries(content)) {
          assert.ok(Object.keys(examples).length > 0, `${id}, ${status} ${type}`);
        }
      }
    }
  });

  test(`${mode}: except for proxies, refusals have the statuses of the protocol`, () => {
    for (const { id, responses } of operationsOf(mode)) {
      for (const { status, codes, content } of responses) {
        for (const code of codes) {
          const proper: number = problemStatus[code as keyof typeof problemStatus];
          const forProxies = id.startsWith("forwardAuth") ? { 400: 403, 429: 503 }[proper] : undefined;
          assert.equal(status, forProxies ?? proper, id);
        }
        const refusal = content?.["application/problem+json"];
        if (refusal === undefined) continue;
        const properties = refusal.schema?.["properties"] as { code: { enum: string[] } };
        assert.deepEqual(properties.code.enum, codes, id);
        assert.deepEqual(Object.keys(refusal.examples ?? {}), codes, id);
      }
    }
  });

  test(`${mode}: the server serves this document, as JSON`, async () => {
    await using host = await startHost(mode);
    const [operation] = operationsOf(mode).filter(({ id }) => id === "openApiDocument");
    assert.ok(operation);
    const response = await host.send(operation);
    assert.deepEqual(JSON.parse(response.body) as Json, JSON.parse(JSON.stringify(documentOf(mode))));
  });
}

test("the document has no values with which pages such as Swagger UI would fill in their forms", () => {
  for (const mode of modes) {
    const components = documentOf(mode)["components"] as Json;
    for (const [name, parameter] of Object.entries(components["parameters"] as Json)) {
      const { schema, ...rest } = parameter as { schema: Json };
      for (const filledIn of ["example", "examples"]) assert.ok(!(filledIn in rest), name);
      for (const filledIn of ["example", "default"]) assert.ok(!(filledIn in schema), name);
    }
    const create = operationsOf(mode).find(({ id }) => id === "createSession");
    assert.equal(create?.bodyExamples[0], "{}");
  }
});

test("validators and generators can use the document's descriptions of headers and ids", () => {
  const text = JSON.stringify(documentOf("local"));
  // Validators that do not read patterns as Unicode do not support character classes.
  assert.doesNotMatch(text, /\\\\[pP]\{/);
  const described = (documentOf("local")["info"] as Json)["description"] as string;
  for (const name of ["Cache-Control", "X-Content-Type-Options", "X-Request-Id"]) {
    assert.ok(described.includes(`\`${name}`), name);
  }
  for (const { id, parameters, mode } of modes.flatMap((each) => operationsOf(each))) {
    for (const { name, schema } of parameters) {
      if (["live", "durable"].includes(name)) assert.equal(schema["type"], "boolean", id);
      if (["since", "until"].includes(name)) assert.equal(schema["format"], "date-time", id);
    }
    assert.ok(Array.isArray(documentOf(mode)["security"]));
  }
});

test("every code of a refusal has a test that provokes it, and is in the document and in docs/api.md", () => {
  const page = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");
  const described = (documentOf("key")["info"] as Json)["description"] as string;
  const documented = modes.flatMap((mode) => operationsOf(mode)).flatMap(({ responses }) => responses);
  const codes = new Set(documented.flatMap((response) => response.codes));
  // truth.test.ts provokes `method-not-allowed`, by a method that the operation's path does not have.
  const provoked = [...Object.keys(provocations), "method-not-allowed"];
  for (const [code, status] of Object.entries(problemStatus)) {
    assert.ok(provoked.includes(code), `provocations.ts does not provoke ${code}`);
    const isDescribed = codes.has(code) || described.includes(`${status} \`${code}\``);
    assert.ok(isDescribed, `the document does not have ${code}`);
    assert.ok(page.includes(`| ${status} | \`${code}\` |`), `docs/api.md has no row for ${code}`);
  }
  for (const code of provoked) assert.ok(code in problemStatus, `${code} is no code`);
});

test("the credential is part of the document where one is needed", () => {
  const schemes = (mode: Mode) => Object.keys((documentOf(mode)["components"] as Json)["securitySchemes"] ?? {});
  assert.deepEqual(modes.map(schemes), [[], ["key", "apiKey"], ["token"], ["proxySecret", "proxyRole"]]);
  for (const mode of modes) {
    const secured = operationsOf(mode).filter(({ isSecured }) => isSecured);
    assert.deepEqual(
      secured.map(({ id }) => id),
      mode === "local"
        ? []
        : [
            ...["createSession", "retrieveSession", "headSession", "updateSession", "endSession"],
            ...["recordRequests", "readTimeline", "readData", "mergeData", "replaceData", "clearData"],
            ...["listSessions", "endSessions"],
            ...["eraseCustomer", "exportCustomer", "listApiKeys", "createApiKey", "revokeApiKey", "rotateApiKey"],
            ...[
              "readAudit",
              "verifyAudit",
              "createViewToken",
              "readConfiguration",
              "readHealth",
              "readEvents",
              "readStatistics",
            ],
            ...["listWebhooks", "createWebhook", "getWebhook", "updateWebhook", "deleteWebhook"],
            ...["testWebhook", "rotateWebhookSecret", "listDeliveries", "redeliver"],
            ...["forwardAuth", "forwardAuthBelow", "metrics"],
          ],
    );
  }
});

test("no base path hides a path of the root", () => {
  const paths = Object.keys(documentOf("local")["paths"] as Json);
  assert.ok(paths.includes("/audit"));
  for (const path of [...paths.filter((one) => one !== "/"), "/docs"]) {
    const first = `/${path.split("/")[1] ?? ""}`;
    const fault = parseBasePath(`${first}/v1`);
    assert.ok(typeof fault === "string" && fault.includes("hides what the server itself"), path);
  }
});
