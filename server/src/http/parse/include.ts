import type { HttpRequest } from "@antechamber/http1";
import { Refusal } from "../../session/errors.ts";
import type { Principal, Role } from "../../session/permissions.ts";
import { refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";

/**
 * Returns whether the response must include the session's data: `?include=data`. Refuses any other value with
 * `invalid-request`, and with `role-not-permitted` unless the caller has one of the roles in `readers`.
 */
export function includesData(
  { request, principal }: { readonly request: Pick<HttpRequest, "query">; readonly principal: Principal },
  readers: readonly Role[],
): boolean {
  const { query } = request;
  if (query === "" || !asksForData(query)) return false;
  if (!readers.includes(principal.role)) throw new Refusal({ code: "role-not-permitted", allowed: readers });
  return true;
}

function asksForData(query: string): boolean {
  if (query === "include=data") return true;
  const wanted = parametersOf(query).getAll("include");
  if (wanted.some((one) => one !== "data")) {
    refuseFaults([{ in: "query", name: "include", detail: "The only value of include is data." }]);
  }
  return wanted.length > 0;
}
