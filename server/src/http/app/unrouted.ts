import type { HttpRequest } from "@antechamber/http1";
import { Refusal } from "../../session/errors.ts";
import type { ApiResponse } from "../api-response.ts";
import type { Admission } from "./admission.ts";
import type { Cors } from "./cors.ts";
import type { Match, Route } from "./router.ts";

/** Creates the function that responds to OPTIONS, unknown paths, and methods that a path does not have. */
export function createUnrouted(
  admission: Admission,
  cors: Cors | undefined,
  routes: readonly Route[],
): (request: HttpRequest, matches: readonly Match[]) => ApiResponse {
  const allowOfServer = allowOf(routes.filter(({ method }) => method !== "*"));
  // `matches` are the routes of the path, all of which have other methods.
  return (request, matches) => {
    const { method } = request;
    const isServer = isForServer(request);
    // Proxies send OPTIONS as health checks. These have no rate limit, like the other probes.
    admission.checkUnrouted(request, !isServer || method === "CONNECT");
    const ofPath = matches.length === 0 ? undefined : allowOf(matches.map(({ route }) => route));
    const allow = isServer ? allowOfServer : ofPath;
    const preflight = method === "OPTIONS" ? cors?.preflight(request, allow) : undefined;
    if (preflight !== undefined) return preflight;
    if (allow === undefined) throw new Refusal({ code: "not-found" });
    if (method !== "OPTIONS") throw new Refusal({ code: "method-not-allowed", allow });
    return { status: 204, headers: { allow, "cache-control": "no-store" }, body: null };
  };
}

function allowOf(routes: readonly Route[]): string {
  const methods = new Set<string>(routes.map(({ method }) => method));
  if (methods.has("GET")) methods.add("HEAD");
  return [...methods, "OPTIONS"].join(", ");
}

/** Returns whether a request is for the whole server: `CONNECT`, `OPTIONS *`, or HAProxy's health check `OPTIONS /`. */
function isForServer({ method, path }: HttpRequest): boolean {
  return method === "OPTIONS" ? path === "*" || path === "/" : method === "CONNECT";
}
