import type { BasePath } from "../../src/config/base-path.ts";
import { openApiDocument } from "../../src/http/openapi.ts";
import { version } from "../../src/runtime/version.ts";

/** Any part of JSON Schema or of the document. */
export type Json = Readonly<Record<string, unknown>>;

export const modes = ["local", "key", "jwt", "proxy"] as const;
export type Mode = (typeof modes)[number];

export const basePath = "/gks-server/v1";
/** The base paths of the servers that the tests start. */
export const basePaths: readonly BasePath[] = [{ path: basePath, dialect: "8.5.0" }];

/** A base path for each newer dialect, for their tests. */
export const dialectBasePaths: readonly BasePath[] = [
  { path: "/kc-8.5.1/v1", dialect: "8.5.1" },
  { path: "/current", dialect: "current" },
  { path: "/session/v2", dialect: "v2" },
];

/** A response of an operation. */
export interface DocumentedResponse {
  readonly status: number;
  /** The codes of the refusals under this status; empty for successes. */
  readonly codes: readonly string[];
  readonly headers: Readonly<Record<string, { required?: boolean; schema: Json }>>;
  /** The body by content type; `undefined` if there is none. */
  readonly content: Readonly<Record<string, { schema?: Json; examples?: Examples }>> | undefined;
}

export type Examples = Readonly<Record<string, { readonly value: unknown }>>;

/** A parameter of an operation. */
export interface DocumentedParameter {
  readonly name: string;
  readonly in: "path" | "header" | "query" | "cookie";
  readonly schema: Json;
  /** The first example of the schema. */
  readonly example?: string | number | boolean;
}

/** An operation of a document, with references replaced. */
export interface DocumentedOperation {
  readonly mode: Mode;
  /** The operation id, without the suffix after "_" that it has below a base path. */
  readonly id: string;
  /** The method in capitals. */
  readonly method: string;
  readonly path: string;
  /** The base paths at which it is served; "" is the root. */
  readonly bases: readonly string[];
  /** Whether it requires a credential. */
  readonly isSecured: boolean;
  readonly parameters: readonly DocumentedParameter[];
  /** The body's schema; `undefined` for an operation without one. */
  readonly bodySchema: Json | undefined;
  /** The examples of the body, as text. */
  readonly bodyExamples: readonly string[];
  readonly responses: readonly DocumentedResponse[];
}

/** Returns the document of a server in this mode, by default with the base paths of the tests' servers. */
export function documentOf(mode: Mode, bases: readonly BasePath[] = basePaths): Json {
  return openApiDocument({ version, basePaths: bases, auth: mode });
}

/** The operations of the documents that were read, by what the document depends on. */
const known = new Map<string, readonly DocumentedOperation[]>();

/** Returns all operations of a document. */
export function operationsOf(mode: Mode, bases?: readonly BasePath[]): readonly DocumentedOperation[] {
  const key = JSON.stringify([mode, bases]);
  const operations = known.get(key) ?? readOperations(documentOf(mode, bases), mode);
  known.set(key, operations);
  return operations;
}

function readOperations(document: Json, mode: Mode): DocumentedOperation[] {
  const whole = resolved(document, document) as Json;
  return Object.entries(whole["paths"] as Record<string, Json>).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => ["get", "head", "put", "post", "patch", "delete"].includes(method))
      .map(([method, operation]) => operationOf(mode, whole, path, item, method, operation as Json)),
  );
}

function operationOf(
  mode: Mode,
  document: Json,
  path: string,
  item: Json,
  method: string,
  operation: Json,
): DocumentedOperation {
  const servers = (item["servers"] ?? document["servers"]) as { url: string }[];
  const security = (operation["security"] ?? document["security"] ?? []) as unknown[];
  const body = bodyOf(operation);
  return {
    mode,
    id: (operation["operationId"] as string).replace(/_.*/, ""),
    method: method.toUpperCase(),
    path,
    bases: servers.map(({ url }) => (url === "/" ? "" : url)),
    isSecured: security.length > 0,
    parameters: [
      ...((item["parameters"] ?? []) as DocumentedParameter[]),
      ...((operation["parameters"] ?? []) as DocumentedParameter[]),
    ].map((parameter) => {
      const [example] = (parameter.schema["examples"] ?? []) as (string | number | boolean)[];
      return example === undefined ? parameter : { ...parameter, example };
    }),
    bodySchema: body?.schema,
    bodyExamples: Object.values(body?.examples ?? {}).map(({ value }) => JSON.stringify(value)),
    responses: Object.entries(operation["responses"] as Record<string, Json>).map(responseOf),
  };
}

function bodyOf(operation: Json): { schema: Json; examples: Examples } | undefined {
  const body = operation["requestBody"] as
    | { content: Record<string, { schema: Json; examples: Examples }> }
    | undefined;
  return body?.content["application/json"] ?? body?.content["application/merge-patch+json"];
}

function responseOf([status, response]: [string, Json]): DocumentedResponse {
  const paragraphs = (response["description"] as string).matchAll(/^`([\w-]+)`: /gm);
  return {
    status: Number(status),
    codes: [...paragraphs].map(([, code = ""]) => code),
    headers: (response["headers"] ?? {}) as DocumentedResponse["headers"],
    content: response["content"] as DocumentedResponse["content"],
  };
}

/** Returns a copy in which each reference is replaced by its target, plus the members beside the reference. */
function resolved(part: unknown, document: Json): unknown {
  if (Array.isArray(part)) return part.map((item) => resolved(item, document));
  if (typeof part !== "object" || part === null) return part;
  const { $ref, ...own } = part as Json;
  const whole = typeof $ref === "string" ? { ...target($ref, document), ...own } : own;
  return Object.fromEntries(Object.entries(whole).map(([name, value]) => [name, resolved(value, document)]));
}

function target(reference: string, document: Json): Json {
  let part: unknown = document;
  for (const name of reference.replace(/^#\//, "").split("/")) part = (part as Json)[name];
  if (part === undefined) throw new Error(`${reference} leads nowhere`);
  return part as Json;
}
