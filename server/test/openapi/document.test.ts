import assert from "node:assert/strict";
import { test } from "node:test";
import { problemStatus } from "@antechamber/client/protocol";
import { Validator } from "@seriousme/openapi-schema-validator";
import { startHost } from "./callers.ts";
import { assertValid } from "./conformance.ts";
import { documentOf, type Json, type Mode, modes, operationsOf } from "./description.ts";

for (const mode of modes) {
  test(`${mode}: the document is valid OpenAPI 3.1`, async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(documentOf(mode)));
    assert.ok(valid, JSON.stringify(errors));
    assert.equal(validator.version, "3.1");
  });

  test(`${mode}: every example is what its schema describes`, () => {
    for (const { id, parameters, bodySchema = {}, bodyExamples, answers } of operationsOf(mode)) {
      for (const example of bodyExamples) assertValid(bodySchema, JSON.parse(example), id);
      for (const { name, schema, example } of parameters) {
        if (example !== undefined) assertValid(schema, example, `${id}, ${name}`);
      }
      for (const { content = {} } of answers) {
        for (const { schema = {}, examples = {} } of Object.values(content)) {
          for (const { value } of Object.values(examples)) assertValid(schema, value, id);
        }
      }
    }
  });

  test(`${mode}: refusals stand under the statuses of the protocol, but for those that proxies take for others`, () => {
    for (const { id, answers } of operationsOf(mode)) {
      for (const { status, codes, content } of answers) {
        for (const code of codes) {
          const proper: number = problemStatus[code as keyof typeof problemStatus];
          const forProxies = id.startsWith("forwardAuth")
            ? { 400: 403, 429: 503 }[proper]
            : undefined;
          assert.equal(status, forProxies ?? proper, id);
        }
        const refusal = content?.["application/problem+json"];
        if (refusal === undefined) continue;
        const told = refusal.schema?.["properties"] as { code: { enum: string[] } };
        assert.deepEqual(told.code.enum, codes, id);
        assert.deepEqual(Object.keys(refusal.examples ?? {}), codes, id);
      }
    }
  });

  test(`${mode}: the server serves this document, as JSON`, async () => {
    await using host = await startHost(mode);
    const [operation] = operationsOf(mode).filter(({ id }) => id === "openApiDocument");
    assert.ok(operation);
    const answer = await host.ask(operation);
    assert.deepEqual(JSON.parse(answer.body) as Json, JSON.parse(JSON.stringify(documentOf(mode))));
  });
}

test("the credential is part of the document where one is needed", () => {
  const schemes = (mode: Mode) =>
    Object.keys((documentOf(mode)["components"] as Json)["securitySchemes"] ?? {});
  assert.deepEqual(modes.map(schemes), [
    [],
    ["key", "apiKey"],
    ["token"],
    ["proxySecret", "proxyRole"],
  ]);
  for (const mode of modes) {
    const secured = operationsOf(mode).filter(({ isSecured }) => isSecured);
    assert.deepEqual(
      secured.map(({ id }) => id),
      mode === "local"
        ? []
        : [
            ...["createSession", "retrieveSession", "headSession", "updateSession", "endSession"],
            ...["recordRequests", "readTimeline", "listSessions", "endSessions"],
            ...["eraseCustomer", "exportCustomer", "readAudit"],
            ...["forwardAuth", "forwardAuthBelow", "metrics"],
          ],
    );
  }
});
