import type { HttpRequest } from "@antechamber/http1";
import { refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";

/**
 * Returns whether the response must include the session's data: `?include=data`. Refuses any other value with
 * `invalid-request`.
 */
export function includesData({ query }: Pick<HttpRequest, "query">): boolean {
  if (query === "") return false;
  if (query === "include=data") return true;
  const wanted = parametersOf(query).getAll("include");
  if (wanted.some((one) => one !== "data")) {
    refuseFaults([{ in: "query", name: "include", detail: "The only value of include is data." }]);
  }
  return wanted.length > 0;
}
