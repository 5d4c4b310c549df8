import { type Fault, Refusal } from "../session/errors.ts";
import type { ApiRequest } from "./messages.ts";

/**
 * The body of a request that must be JSON, or `undefined` when it is empty, which needs no content
 * type. Refuses with `body-too-large` beyond `limit` bytes, and `unsupported-media-type`.
 */
export async function readJsonBody(
  request: ApiRequest,
  limit: number,
): Promise<Uint8Array | undefined> {
  const announced = Number(request.header("content-length"));
  const body = announced > limit ? undefined : await bodyOf(request, limit);
  if (body === undefined) throw new Refusal({ code: "body-too-large", limit });
  if (body.length === 0) return undefined;
  if (!isJson(request.header("content-type")))
    throw new Refusal({ code: "unsupported-media-type" });
  return body;
}

async function bodyOf(request: ApiRequest, limit: number): Promise<Uint8Array | undefined> {
  try {
    return await request.body(limit);
  } catch (error) {
    // The client has gone, or was cut off for being slow: that is no defect of ours.
    const fault = { in: "body", name: "", detail: "The body broke off before its end." } as const;
    throw new Refusal({ code: "invalid-request", errors: [fault] }, error);
  }
}

/** `application/json` or one of its kin (RFC 6839), with whatever parameters. */
function isJson(contentType: string | null): boolean {
  return /^\s*application\/(?:[\w.-]{1,64}\+)?json\s*(?:;|$)/i.test(contentType ?? "");
}

const bodyText = new TextDecoder("utf-8", { fatal: true });

/** The value in a body, or `undefined`, which no JSON text stands for, with its fault in `faults`. */
export function parseJson(body: Uint8Array, faults: Fault[]): unknown {
  try {
    return JSON.parse(bodyText.decode(body));
  } catch {
    faults.push({ in: "body", name: "", detail: "The body is not well-formed JSON in UTF-8." });
    return undefined;
  }
}

/** A member of an object from JSON: own members alone, nothing that a prototype may have. */
export function memberOf(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? Reflect.get(object, name) : null;
}

/** Refuses with `invalid-request` if there are any. */
export function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length > 0) throw new Refusal({ code: "invalid-request", errors: faults });
}
