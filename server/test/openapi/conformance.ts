import assert from "node:assert/strict";
import type { ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { RawResponse } from "../support/raw-http.ts";
import { type DocumentedOperation, type DocumentedResponse, documentOf, type Json } from "./description.ts";

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
formats.default(ajv);

/** The compiled schemas, also by their texts, because most are the same in all modes. Compiling takes much longer than using. */
const compiled = new WeakMap<Json, ValidateFunction>();
const compiledTexts = new Map<string, ValidateFunction>();

function validatorOf(schema: Json): ValidateFunction {
  const text = JSON.stringify(schema);
  const validator = compiledTexts.get(text) ?? ajv.compile(closed(schema));
  compiledTexts.set(text, validator);
  return validator;
}

/** Asserts that `value` is valid, and has only members that `schema` names. */
export function assertValid(schema: Json, value: unknown, what: string): void {
  const validate = compiled.get(schema) ?? validatorOf(schema);
  compiled.set(schema, validate);
  assert.ok(validate(value), `${what}: ${ajv.errorsText(validate.errors)}`);
}

/**
 * Returns a schema that allows only members that it names: callers ignore others, but the document must name them. The
 * parts of `allOf` are closed together.
 */
function closed(schema: Json): Json {
  const parts: Record<string, unknown> = { ...schema };
  const { properties, items, oneOf } = schema;
  if (properties !== undefined) {
    const all = Object.entries(properties as Record<string, Json>);
    parts["properties"] = Object.fromEntries(all.map(([name, each]) => [name, closed(each)]));
  }
  if (items !== undefined) parts["items"] = closed(items as Json);
  if (oneOf !== undefined) parts["oneOf"] = (oneOf as Json[]).map(closed);
  const isOpen = properties === undefined && schema["allOf"] === undefined;
  return isOpen ? parts : { ...parts, unevaluatedProperties: false };
}

/** Asserts that a response is as documented for its status, and returns that part of the document. */
export function assertDocumented(operation: DocumentedOperation, response: RawResponse): DocumentedResponse {
  const documented = operation.responses.find(({ status }) => status === response.status);
  assert.ok(documented, `${operation.id} responds with ${response.status}: ${response.body}`);
  assertHeaders(documented, response);
  assertBody(operation, documented, response);
  return documented;
}

/** Headers of the connection and of the content, which the document does not describe. */
const notDescribed = ["connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding"];

/** The headers of every refusal, which the document describes only once. */
const { headers: shared } = documentOf("local")["components"] as {
  headers: DocumentedResponse["headers"];
};
const onRefusals = ["Cache-Control", "X-Content-Type-Options", "X-Request-Id"] as const;
const ofRefusals = Object.fromEntries(onRefusals.map((name) => [name, shared[name] ?? { schema: {} }]));

function assertHeaders({ codes, headers }: DocumentedResponse, response: RawResponse): void {
  const names = new Set<string>();
  const described = codes.length > 0 ? { ...ofRefusals, ...headers } : headers;
  for (const [name, { required, schema }] of Object.entries(described)) {
    names.add(name.toLowerCase());
    const text = response.headers.get(name.toLowerCase());
    assert.ok(text !== undefined || required !== true, `${name} is missing`);
    const isNumber = schema["type"] === "integer" && /^\d+$/.test(text ?? "");
    if (text !== undefined) assertValid(schema, isNumber ? Number(text) : text, name);
  }
  const others = [...response.headers.keys()].filter((name) => !names.has(name));
  assert.deepEqual(
    others.filter((name) => !notDescribed.includes(name)),
    [],
    "these headers are not described",
  );
}

function assertBody(operation: DocumentedOperation, { content }: DocumentedResponse, response: RawResponse): void {
  if (content === undefined) {
    assert.equal(response.body, "", `${operation.id} has a body that is not described`);
    return;
  }
  const type = (response.headers.get("content-type") ?? "").split(";")[0] ?? "";
  const described = content[type];
  assert.ok(described, `${operation.id} responds with ${type}`);
  const isJson = /[/+]json$/.test(type);
  const body: unknown = isJson ? JSON.parse(response.body) : response.body;
  assert.notEqual(body, "");
  if (described.schema !== undefined) assertValid(described.schema, body, operation.id);
}
