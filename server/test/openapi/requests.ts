import { randomUUID } from "node:crypto";
import type { RequestParts } from "./callers.ts";
import type { DocumentedOperation, DocumentedParameter } from "./description.ts";

/** Returns whether the operation has a parameter with this name. */
export function takes({ parameters }: DocumentedOperation, name: string): boolean {
  return parameters.some((each) => each.name === name);
}

/** Returns the example with index `i` as the body, if the operation requires a body. */
export function bodyOf({ id, bodyExamples }: DocumentedOperation, i: number): Pick<RequestParts, "body"> {
  const isNeeded = [
    "recordRequests",
    "mergeData",
    "replaceData",
    "endSessions",
    "createWebhook",
    "createApiKey",
    "createViewToken",
  ].includes(id);
  const body = isNeeded ? bodyExamples[i] : undefined;
  return body === undefined ? {} : { body };
}

/** Returns requests made from the examples: with no examples if that is valid, with each alone, and with all. */
export function requestsOf(operation: DocumentedOperation): RequestParts[] {
  const { parameters, bodyExamples, id } = operation;
  const inPath = parameters.find((each) => each.in === "path")?.schema["enum"] as string[];
  if (inPath !== undefined) return inPath.map((file) => ({ inPath: file }));
  const given = parameters.filter((each) => each.in !== "path" && each.example !== undefined);
  const bodies = bodyExamples.map((body) => ({ body }));
  const needed = bodyOf(operation, 0);
  const alone = given.filter(({ name }) => id !== "updateSession" || name.startsWith("gkc"));
  return [
    ...(id === "updateSession" ? [] : [needed]),
    ...alone.map((parameter) => ({ ...withParameters([parameter]), ...needed })),
    ...bodies,
    { ...withParameters(given), ...bodies.at(-1) },
  ];
}

function withParameters(parameters: readonly DocumentedParameter[]): RequestParts {
  const headers: Record<string, string> = {};
  const query = new URLSearchParams();
  for (const { in: place, name, example } of parameters) {
    if (place === "query") query.set(name, String(example));
    else if (place === "cookie") headers["Cookie"] = `${name}=${example}`;
    else headers[name] = String(example);
  }
  return { headers: withFreshKey(headers), ...(query.size > 0 ? { query: String(query) } : {}) };
}

/** Replaces an idempotency key by a new one, because a key may be used for only one request. */
export function withFreshKey(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  const key = "Idempotency-Key";
  return key in headers ? { ...headers, [key]: `"${randomUUID()}"` } : { ...headers };
}
