import type { HttpRequest } from "@antechamber/http1";
import { refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";

/**
 * Returns whether the response shall include the session's data: `?include=data`. Refuses with `invalid-request` if
 * something else shall be included.
 */
export function includesData({ query }: Pick<HttpRequest, "query">): boolean {
  if (query === "") return false;
  if (query === "include=data") return true;
  const wanted = parametersOf(query).getAll("include");
  if (wanted.some((one) => one !== "data")) {
    refuseFaults([{ in: "query", name: "include", detail: "include can only be data." }]);
  }
  return wanted.length > 0;
}
