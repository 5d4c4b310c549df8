import { type Json, ref } from "./schemas.ts";

const atRootOnly = { servers: [{ url: "/" }] };

function operation(operationId: string, summary: string, responses: Json): Json {
  return { tags: ["operations"], operationId, summary, security: [], responses };
}

function answer(description: string, contentType: string, schema: Json): Json {
  return { description, content: { [contentType]: { schema } } };
}

const alive: Json = {
  type: "object",
  properties: { status: { const: "ok" } },
  required: ["status"],
};

/** What operators and tools ask, by path. Served at the root alone, whatever the base paths. */
export const operationsPaths: Json = {
  "/healthz": {
    ...atRootOnly,
    get: operation("health", "Whether the process is alive", {
      200: answer("It is.", "application/json", alive),
    }),
  },
  "/readyz": {
    ...atRootOnly,
    get: operation("readiness", "Whether the store can write", {
      200: answer("It can.", "application/json", alive),
      503: answer(
        "It cannot at the moment.",
        "application/problem+json",
        ref("schemas", "Problem"),
      ),
    }),
  },
  "/metrics": {
    ...atRootOnly,
    get: operation("metrics", "Metrics in the text format of Prometheus", {
      200: answer("All of them.", "text/plain", { type: "string" }),
    }),
  },
  "/openapi.json": {
    ...atRootOnly,
    get: operation("openApiDocument", "This document", {
      200: answer("OpenAPI 3.1.", "application/json", { type: "object" }),
    }),
  },
  "/docs": {
    ...atRootOnly,
    get: operation("docsPage", "A page to read and try the API", {
      200: answer("The page.", "text/html", { type: "string" }),
    }),
  },
};
