import { readFileSync } from "node:fs";
import type { Problem } from "@antechamber/client/protocol";
import type { BasePath, DialectName } from "../config/base-path.ts";
import type { Config } from "../config/config.ts";
import { envelopeOfV1, envelopeOfV2 } from "./handlers/dialects/envelopes.ts";
import { restate } from "./handlers/dialects/refusals.ts";

/** The options on which the document depends. */
export interface OpenApiOptions {
  /** The version of the service. */
  readonly version: string;
  /** The base paths below which the session operations are served, in addition to the root. */
  readonly basePaths: readonly BasePath[];
  /** The auth mode, on which credentials and some refusals depend. */
  readonly auth: Auth;
}

type Auth = Config["auth"];
type Json = Readonly<Record<string, unknown>>;
type JsonMap = Readonly<Record<string, Json>>;

interface Document extends Json {
  readonly info: Json;
  readonly paths: JsonMap;
  readonly components: Readonly<Record<string, JsonMap>>;
  readonly "x-dialects": {
    readonly paths: Readonly<Record<DialectName, JsonMap>>;
    readonly schemas: Json;
  };
}

interface Operation extends Json {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, Response>>;
}

interface Response extends Json {
  readonly headers?: Json;
  readonly content?: Readonly<Record<string, Content>>;
}

interface Content {
  readonly schema: Json;
  readonly examples: Readonly<Record<string, { readonly value: unknown }>>;
}

/** `server/openapi.yaml` as JSON. The head of that file explains the extensions which are read here. */
const file = JSON.parse(readFileSync(new URL("../../openapi.json", import.meta.url), "utf8")) as Document;

/** Returns the OpenAPI 3.1 document of everything that a server with these options serves. */
export function openApiDocument({ version, basePaths, auth }: OpenApiOptions): Json {
  const { "x-dialects": dialects, ...document } = inMode(file, auth) as Document;
  const { info, paths, components } = document;
  const plain = basePaths.filter(({ dialect }) => dialect === "8.5.0");
  const others = basePaths.filter(({ dialect }) => dialect !== "8.5.0");
  const atBases = Object.fromEntries(Object.entries(paths).filter(([, item]) => !item["servers"]));
  const ofDialects = others.map((base) =>
    pathsBelow(base, patched(atBases, dialects.paths[base.dialect]) as JsonMap, document),
  );
  const schemas = others.length === 0 ? {} : dialects.schemas;
  return {
    ...document,
    info: { ...info, version },
    servers: ["/", ...plain.map(({ path }) => path)].map((url) => ({ url })),
    paths: Object.assign({}, paths, ...ofDialects),
    components: { ...components, schemas: { ...components["schemas"], ...schemas } },
  };
}

/** Returns a dialect's paths below its base path, with operation ids of their own and the dialect's responses. */
function pathsBelow({ path: base, dialect }: BasePath, paths: JsonMap, document: Json): Json {
  const suffix = base.replaceAll(/[^A-Za-z\d]+/g, "_");
  const ofDialect = (given: unknown) => {
    const operation = resolved(given, document) as Operation;
    const responses = mapValues(operation.responses, (response) =>
      responseOf(dialect, resolved(response, document) as Response, document),
    );
    return { ...operation, operationId: operation.operationId + suffix, responses };
  };
  const below = Object.entries(paths).map(([path, operations]) => [
    base + path,
    { servers: [{ url: "/" }], ...mapValues(operations, ofDialect) },
  ]);
  return Object.fromEntries(below) as Json;
}

/**
 * Returns `part` without the extensions of `openapi.yaml`, and without the members that do not exist in this auth mode.
 * Returns `undefined` if nothing is left.
 */
function inMode(part: unknown, mode: Auth): unknown {
  if (Array.isArray(part)) {
    return part.map((item) => inMode(item, mode)).filter((item) => item !== undefined);
  }
  if (!isObject(part)) return part;
  if (isAbsent(part, mode)) return undefined;
  const replacements = part["x-in-mode"] as JsonMap | undefined;
  const entries = Object.entries(replacements?.[mode] ?? part)
    .filter(([name]) => name !== "x-modes" && name !== "x-in-mode")
    .map(([name, value]) => [name, name === "security" ? securityIn(mode, value as JsonMap[]) : inMode(value, mode)])
    .filter(([, value]) => value !== undefined);
  const isGone = entries.length === 0 && Object.keys(part).length > 0;
  return isGone ? undefined : Object.fromEntries(entries);
}

function isAbsent({ "x-modes": modes, $ref }: Json, mode: Auth): boolean {
  if (typeof $ref === "string") return isAbsent(target($ref, file), mode);
  return Array.isArray(modes) && !modes.includes(mode);
}

/** Returns the alternatives of a security requirement whose schemes all exist in this mode. */
function securityIn(mode: Auth, alternatives: readonly Json[]): readonly Json[] {
  const schemes = file.components["securitySchemes"] ?? {};
  return alternatives.filter((names) => Object.keys(names).every((name) => !isAbsent(schemes[name] ?? {}, mode)));
}

/** Applies a merge patch (RFC 7396). */
function patched(part: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(part) ? { ...part } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = patched(result[name], value);
  }
  return result;
}

/** Returns the part to which a reference points, plus the members beside the reference; any other part unchanged. */
function resolved(part: unknown, document: Json): unknown {
  if (!isObject(part) || typeof part["$ref"] !== "string") return part;
  const { $ref, ...more } = part;
  return { ...target($ref, document), ...more };
}

/** Returns the part of the document to which a JSON pointer in a URI fragment points (RFC 6901). */
function target(reference: string, document: Json): Json {
  let part: unknown = document;
  for (const name of reference.slice("#/".length).split("/")) {
    part = (part as Json)[name.replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return part as Json;
}

/** The schema, the form and the additional headers of a response that shows a session. */
const sessionIn = {
  v1: { schema: "SessionResponse", form: envelopeOfV1, headers: {} },
  v2: {
    schema: "SessionData",
    form: envelopeOfV2,
    headers: { gkc_sessionId: { $ref: "#/components/headers/gkc_sessionId" } },
  },
};

/** Returns a response in the form of a newer dialect: the session in an envelope, a refusal with `error`. */
function responseOf(dialect: DialectName, response: Response, document: Json): Response {
  const { "application/json": shown, "application/problem+json": problem } = response.content ?? {};
  const examplesOf = ({ examples }: Content, change: (value: unknown) => unknown) =>
    mapValues(examples, (given) => {
      const example = resolved(given, document) as { readonly value: unknown };
      return { ...example, value: change(example.value) };
    });
  if (problem !== undefined) {
    const parts = problem.schema["allOf"] as readonly Json[];
    const allOf = [...parts, { $ref: "#/components/schemas/RefusalOfDialect" }];
    const examples = examplesOf(problem, (value) => restate[dialect](value as Problem));
    const content = { schema: { ...problem.schema, allOf }, examples };
    return { ...response, content: { "application/problem+json": content } };
  }
  if (shown?.schema["$ref"] !== "#/components/schemas/SessionInfo") return response;
  const { schema, form, headers } = sessionIn[dialect === "v2" ? "v2" : "v1"];
  const examples = examplesOf(shown, (value) => JSON.parse(form.ofInfo(JSON.stringify(value))));
  const content = { schema: { $ref: `#/components/schemas/${schema}` }, examples };
  return {
    ...response,
    headers: { ...response.headers, ...headers },
    content: { "application/json": content },
  };
}

function isObject(part: unknown): part is Json {
  return typeof part === "object" && part !== null && !Array.isArray(part);
}

function mapValues<From, To>(record: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
