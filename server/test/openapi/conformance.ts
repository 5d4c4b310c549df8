import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { RawResponse } from "../support/raw-http.ts";
import {
  type DocumentedAnswer,
  type DocumentedOperation,
  documentOf,
  type Json,
} from "./description.ts";

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
formats.default(ajv);

/** Fails unless `value` is what `schema` describes, with no member that it does not name. */
export function assertValid(schema: Json, value: unknown, what: string): void {
  const validate = ajv.compile(closed(schema));
  assert.ok(validate(value), `${what}: ${ajv.errorsText(validate.errors)}`);
}

/**
 * Callers may meet members that are new; a test that meets one has found the document lacking. What
 * `allOf` puts together is closed as a whole.
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

/** Fails unless an answer is the one that the document describes for its status; gives that. */
export function assertDocumented(
  operation: DocumentedOperation,
  answer: RawResponse,
): DocumentedAnswer {
  const documented = operation.answers.find(({ status }) => status === answer.status);
  assert.ok(documented, `${operation.id} answers ${answer.status}: ${answer.body}`);
  assertHeaders(documented, answer);
  assertBody(operation, documented, answer);
  return documented;
}

/** These belong to the connection, or are told by the content. */
const notDescribed = [
  "connection",
  "content-length",
  "content-type",
  "date",
  "keep-alive",
  "transfer-encoding",
];

/** Headers of every refusal, which only the description of the whole document mentions. */
const { headers: shared } = documentOf("local")["components"] as {
  headers: DocumentedAnswer["headers"];
};
const onRefusals = ["Cache-Control", "X-Content-Type-Options", "X-Request-Id"] as const;
const ofRefusals = Object.fromEntries(
  onRefusals.map((name) => [name, shared[name] ?? { schema: {} }]),
);

function assertHeaders({ codes, headers }: DocumentedAnswer, answer: RawResponse): void {
  const names = new Set<string>();
  const described = codes.length > 0 ? { ...ofRefusals, ...headers } : headers;
  for (const [name, { required, schema }] of Object.entries(described)) {
    names.add(name.toLowerCase());
    const text = answer.headers.get(name.toLowerCase());
    assert.ok(text !== undefined || required !== true, `${name} is missing`);
    const isNumber = schema["type"] === "integer" && /^\d+$/.test(text ?? "");
    if (text !== undefined) assertValid(schema, isNumber ? Number(text) : text, name);
  }
  const others = [...answer.headers.keys()].filter((name) => !names.has(name));
  assert.deepEqual(
    others.filter((name) => !notDescribed.includes(name)),
    [],
    "headers that are served and not described",
  );
}

function assertBody(
  operation: DocumentedOperation,
  { content }: DocumentedAnswer,
  answer: RawResponse,
): void {
  if (content === undefined) {
    assert.equal(answer.body, "", `${operation.id} has a body that is not described`);
    return;
  }
  const type = (answer.headers.get("content-type") ?? "").split(";")[0] ?? "";
  const described = content[type];
  assert.ok(described, `${operation.id} answers with ${type}`);
  const isJson = /[/+]json$/.test(type);
  const body: unknown = isJson ? JSON.parse(answer.body) : answer.body;
  assert.notEqual(body, "");
  if (described.schema !== undefined) assertValid(described.schema, body, operation.id);
}
