import { docsAsset, docsFiles } from "../handlers/docs-page.ts";
import { apiFields } from "../messages.ts";
import { type Auth, credentialCodes, malformedHeadCodes } from "./credentials.ts";
import { describeHeaders } from "./headers.ts";
import { type Code, refusals } from "./refusals.ts";
import type { Json } from "./schemas.ts";

/** Served at the root alone, whatever the base paths. */
const atTheRoot = { servers: [{ url: "/" }] };

function answer(description: string, contentType: string, schema: Json): Json {
  return {
    description,
    headers: describeHeaders(apiFields),
    content: { [contentType]: { schema } },
  };
}

const well = answer("Yes.", "application/json", {
  type: "object",
  properties: { status: { const: "ok" } },
  required: ["status"],
});

/** The names and texts of an operation. */
interface Named {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
}

const health: Named = {
  operationId: "health",
  summary: "Whether the process is alive",
  description:
    "For supervisors that restart a process which has stopped responding. It does not check the store, which a restart does not repair.",
};
const readiness: Named = {
  operationId: "readiness",
  summary: "Whether the store can write",
  description:
    "For load balancers: 503 while changes would be refused, and while the server stops.",
};
const openApi: Named = {
  operationId: "openApiDocument",
  summary: "This document",
  description: "It describes this server, with its base paths and the credential that it requires.",
};
const docsPage: Named = {
  operationId: "docsPage",
  summary: "A page to read and try the API",
  description: "It loads nothing from other servers.",
};
const docsFile: Named = {
  operationId: "docsFile",
  summary: "A file of the page",
  description: "Scripts, style sheets and images.",
};

/** An operation that asks for no credential; any may be refused for its `Host` in mode local. */
function open(
  auth: Auth,
  { operationId, summary, description }: Named,
  responses: Json,
  codes: readonly Code[] = [],
): Json {
  const all: Code[] = [...(auth === "local" ? (["invalid-request"] as const) : []), ...codes];
  return {
    tags: ["operations"],
    operationId,
    summary,
    description,
    security: [],
    responses: { ...responses, ...refusals(all) },
  };
}

/** Who calls cannot be told while the issuer of the tokens gave no keys. */
function ofKeySet(auth: Auth): Code[] {
  return auth === "jwt" ? ["unavailable"] : [];
}

function metrics(auth: Auth): Json {
  const codes: Code[] =
    auth === "local"
      ? ["invalid-request", "too-many-requests"]
      : [
          ...credentialCodes(auth),
          ...malformedHeadCodes(auth),
          ...ofKeySet(auth),
          ...(["role-not-permitted", "too-many-requests"] as const),
        ];
  return {
    tags: ["operations"],
    operationId: "metrics",
    summary: "Metrics in the text format of Prometheus",
    description: "With keys: for the roles `reporter` and `administrator`.",
    responses: {
      200: answer("All of them.", "text/plain", { type: "string" }),
      ...refusals(codes),
    },
  };
}

function page(description: string, contentTypes: readonly string[], path: string): Json {
  return {
    description,
    headers: describeHeaders(docsAsset(path)?.headers ?? {}),
    content: Object.fromEntries(contentTypes.map((type) => [type, {}])),
  };
}

const redirect = {
  description: "The page is at this path without the slash at its end.",
  headers: describeHeaders(docsAsset("/docs/")?.headers ?? {}),
};

/** Who watches over the process is not counted; everybody else is. */
const limited: readonly Code[] = ["too-many-requests"];

/** What operators and their tools ask under `auth`, by path. */
export function operationsPaths(auth: Auth): Json {
  const document = answer("OpenAPI 3.1.", "application/json", { type: "object" });
  return {
    "/": { ...atTheRoot, get: root(auth) },
    "/healthz": {
      ...atTheRoot,
      get: open(auth, health, { 200: well }),
    },
    "/readyz": {
      ...atTheRoot,
      get: open(auth, readiness, { 200: well }, ["unavailable"]),
    },
    "/metrics": { ...atTheRoot, get: metrics(auth) },
    "/openapi.json": {
      ...atTheRoot,
      get: open(auth, openApi, { 200: document }, limited),
    },
    "/docs": {
      ...atTheRoot,
      get: open(
        auth,
        docsPage,
        { 200: page("The page.", ["text/html"], "/docs"), 308: redirect },
        limited,
      ),
    },
    "/docs/{file}": docsFilePath(auth),
  };
}

const fields = { ...apiFields, vary: "Accept" };

function root(auth: Auth): Json {
  const string = { type: "string" };
  return open(
    auth,
    {
      operationId: "root",
      summary: "Links to the documentation of the API",
      description:
        "Redirects browsers to the page, and gives programs the address of the OpenAPI document.",
    },
    {
      200: {
        description: "Addresses, relative to this one.",
        headers: describeHeaders(fields),
        content: {
          "application/json": {
            schema: {
              type: "object",
              properties: { service: { const: "antechamber" }, docs: string, openapi: string },
              required: ["service", "docs", "openapi"],
            },
          },
        },
      },
      302: {
        description: "For clients that accept `text/html`.",
        headers: describeHeaders(fields, { location: "docs" }),
      },
    },
    limited,
  );
}

function docsFilePath(auth: Auth): Json {
  const types = ["text/javascript", "text/css", "image/png"];
  return {
    ...atTheRoot,
    parameters: [{ name: "file", in: "path", required: true, schema: { enum: docsFiles } }],
    get: open(
      auth,
      docsFile,
      { 200: page("A part of the page.", types, `/docs/${docsFiles[0]}`) },
      ["not-found", ...limited],
    ),
  };
}
