import type { BasePath } from "../config/base-path.ts";
import { administrationPaths, sessionListPaths } from "./openapi/administration.ts";
import {
  administrationParameters,
  administrationSchemas,
} from "./openapi/administration-schemas.ts";
import { type Auth, securityOf } from "./openapi/credentials.ts";
import { dialectPaths, dialectSchemas } from "./openapi/dialects.ts";
import { forwardAuthPaths } from "./openapi/forward-auth.ts";
import { headers } from "./openapi/headers.ts";
import { operationsPaths } from "./openapi/operations.ts";
import { parameters } from "./openapi/parameters.ts";
import { recordSchemas } from "./openapi/record-schemas.ts";
import { requestPaths } from "./openapi/requests.ts";
import { type Json, schemas } from "./openapi/schemas.ts";
import { sessionPaths } from "./openapi/sessions.ts";

/** What the document depends on. */
export interface OpenApiOptions {
  /** The version of the service. */
  readonly version: string;
  /** Where the session operations are served in addition to the root. */
  readonly basePaths: readonly BasePath[];
  /** But for `local`, operations ask for a credential, and answer 401 and 403 without the right one. */
  readonly auth: Auth;
}

const description = `Sessions begin anonymously and become recognized: create one, retrieve it, associate ids with it.

An id, once set, stays for the life of the session. A visit has one live session. Retrieving creates a session where there is none of the id. A refusal changes nothing. Requests that are made in a session can be recorded in it and read as its timeline.

An identity header has two spellings, \`gkc_customerId\` and \`gkc-customerId\`, which are one header: it is refused if it is repeated, or if the two differ. Every refusal has the headers \`Cache-Control: no-store\`, \`X-Content-Type-Options: nosniff\` and \`X-Request-Id\`, the name of the request in the server's log, chosen by the caller or else by the server. A trailing slash makes no difference to a path. HEAD is answered wherever GET is, OPTIONS everywhere. Paths that are not listed answer 404 \`not-found\`, methods that are not listed 405 \`method-not-allowed\` with \`Allow\`. Browsers on other origins may call if the server's configuration lists their origin.`;

/** The OpenAPI 3.1 document of everything that a server with these options serves. */
export function openApiDocument({ version, basePaths, auth }: OpenApiOptions): Json {
  const { security, securitySchemes } = securityOf(auth);
  const plain = basePaths.filter(({ dialect }) => dialect === "8.5.0");
  const others = basePaths.filter(({ dialect }) => dialect !== "8.5.0");
  const atBases = { ...sessionPaths(auth), ...requestPaths(auth), ...sessionListPaths(auth) };
  return {
    openapi: "3.1.0",
    info: {
      title: "Antechamber: Session Management API",
      version,
      description,
      contact: { name: "Those who run this server" },
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: ["/", ...plain.map(({ path }) => path)].map((url) => ({ url })),
    tags: [
      { name: "sessions", description: "One session at a time." },
      { name: "requests", description: "What happens in a session is bundled in it." },
      { name: "proxies", description: "For reverse proxies in front of other services." },
      { name: "administration", description: "For those who run the service, on many sessions." },
      { name: "operations", description: "For operators and their tools." },
    ],
    security,
    paths: {
      ...atBases,
      ...administrationPaths(auth),
      ...forwardAuthPaths(auth),
      ...operationsPaths(auth),
      ...Object.assign({}, ...others.map((base) => dialectPaths(base, auth, atBases))),
    },
    components: {
      schemas: {
        ...schemas,
        ...recordSchemas,
        ...administrationSchemas,
        ...dialectSchemas(others),
      },
      parameters: { ...parameters, ...administrationParameters },
      headers,
      ...(securitySchemes === undefined ? {} : { securitySchemes }),
    },
  };
}
