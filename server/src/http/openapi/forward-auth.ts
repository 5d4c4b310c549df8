import { FORWARD_AUTH_PATH, forwardAuthStatus } from "../handlers/forward-auth.ts";
import { type Auth, credentialCodes, securityOfProxies } from "./credentials.ts";
import { describeHeaders } from "./headers.ts";
import { type Code, refusals } from "./refusals.ts";
import { type Json, ref } from "./schemas.ts";

/** The headers of a 200, by their names: what stands in them differs. */
const admitted = describeHeaders({
  "cache-control": "no-store",
  "gkc-sessionid": "",
  "gkc-customerid": "",
  "gkc-agentid": "",
  "gkc-visitid": "",
  "gkc-globalvisitid": "",
  "set-cookie": "",
});

const parameters = [
  ...["X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Method", "X-Original-URI"],
  ...["X-Forwarded-Host", "X-Forwarded-Proto"],
  ...["gkc_sessionId", "sessionCookie", "X-Request-Id"],
].map((name) => ref("parameters", name));

const description =
  "Asked by a reverse proxy before it passes a request on (nginx `auth_request`, Caddy and Traefik `forward_auth`, Envoy `ext_authz`). **Every method is answered as GET is.** Looks for the session id of the original request in the sources that the setting `forwardAuthSources` names, by default the header `gkc_sessionId` in either spelling and then the cookie `sessionId`: the first id of a live session counts. Records the request in it, and answers with the session's identity in headers: all five on every 200, empty where there is no value, with which the proxy replaces whatever the client sent. Identity headers of the request itself are ignored here. Without a live session: a new one and its cookie, or, if `forwardAuth` is `required`, 401. A CORS preflight (original method `OPTIONS`) creates and records nothing and gets 200 with five empty headers. The statuses are 200, 401, 403 and 503 and no others, so a refusal may have another status than elsewhere. With keys: for the roles `customer`, `agent` and `administrator`.";

function forwardAuth(auth: Auth, operationId: string, summary: string): Json {
  const codes: Code[] =
    auth === "local"
      ? ["session-required", "invalid-request", "too-many-requests", "unavailable"]
      : [
          ...(["session-required", ...credentialCodes(auth)] as const),
          ...(["role-not-permitted", "too-many-requests", "unavailable"] as const),
        ];
  return {
    tags: ["proxies"],
    operationId,
    summary,
    description,
    ...securityOfProxies(auth),
    parameters,
    responses: {
      200: { description: "Pass the request on, with these headers.", headers: admitted },
      ...refusals(codes, { statusOf: forwardAuthStatus }),
    },
  };
}

/** What reverse proxies ask under `auth`, by path. Served at the root alone, whatever the base paths. */
export function forwardAuthPaths(auth: Auth): Json {
  const servers = [{ url: "/" }];
  const rest = {
    name: "path",
    in: "path",
    required: true,
    description:
      "The path of the original request, with all its slashes, where no header tells of another.",
    schema: { type: "string", examples: ["help"] },
  };
  return {
    [FORWARD_AUTH_PATH]: {
      servers,
      get: forwardAuth(auth, "forwardAuth", "Whose request is this?"),
    },
    [`${FORWARD_AUTH_PATH}/{path}`]: {
      servers,
      parameters: [rest],
      get: forwardAuth(auth, "forwardAuthBelow", "The same, as Envoy asks"),
    },
  };
}
