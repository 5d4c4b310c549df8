import { BodyError, type HttpRequest, type MayBuffer } from "@antechamber/http1";
import type { ParsedText } from "../../session/data.ts";
import { type Fault, Refusal } from "../../session/errors.ts";

/**
 * Reads the body of a request, which must be JSON. Returns `undefined` if the body is empty; an empty body needs no
 * content type. Refuses with:
 *
 * - `body-too-large` if the body has more than `limit` bytes
 * - `unsupported-media-type` if the body is not JSON in UTF-8, or has a content coding
 * - `request-timeout` if the body does not arrive in time
 * - `invalid-request` if the body ends early, or its chunks are malformed
 * - `unavailable` if `mayBuffer` returns false
 */
export async function readJsonBody(
  request: HttpRequest,
  limit: number,
  mayBuffer?: MayBuffer,
): Promise<Uint8Array | undefined> {
  const body = await readBody(request, limit, mayBuffer);
  if (body.length === 0) return undefined;
  const refused = mediaFault(request);
  if (refused !== undefined) throw new Refusal({ code: "unsupported-media-type", refused });
  return body;
}

/**
 * Reads the body of a request, which must be an HTML form (`application/x-www-form-urlencoded`). An empty body is an empty
 * form. Refuses with the codes of `readJsonBody`, but with `invalid-request` for a body that is not such a form.
 */
export async function readForm(request: HttpRequest, limit: number): Promise<URLSearchParams> {
  const body = await readBody(request, limit);
  if (body.length === 0) return new URLSearchParams();
  if (!FORM_TYPE.test(request.header("content-type") ?? "")) {
    const detail = "Send the body as a form, with Content-Type: application/x-www-form-urlencoded.";
    refuseFaults([{ in: "header", name: "content-type", detail }]);
  }
  if (!isPlain(request.header("content-encoding") ?? "")) {
    const detail = "Send the body without Content-Encoding.";
    refuseFaults([{ in: "header", name: "content-encoding", detail }]);
  }
  return new URLSearchParams(Buffer.from(body).toString("utf8"));
}

const FORM_TYPE = /^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i;

async function readBody(request: HttpRequest, limit: number, mayBuffer?: MayBuffer): Promise<Uint8Array> {
  const announced = Number(request.header("content-length"));
  let body: Uint8Array | undefined;
  try {
    if (!(announced > limit)) body = await request.body(limit, mayBuffer);
  } catch (error) {
    throw unreadBody(error);
  }
  if (body === undefined) throw new Refusal({ code: "body-too-large", limit });
  return body;
}

/** Returns the refusal for an error of reading. It is no defect of the service: the client has disconnected, for example. */
function unreadBody(error: unknown): Refusal {
  const fault = error instanceof BodyError ? error.fault : "gone";
  if (fault === "late") return new Refusal({ code: "request-timeout" }, error);
  if (fault === "crowded") {
    const cause = new Error("bodies of other requests that arrive slowly fill the memory for incomplete bodies");
    return new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
  }
  const detail =
    fault === "gone" ? "The body ended early." : "The chunks of the body are malformed (RFC 9112, section 7.1).";
  return new Refusal({ code: "invalid-request", errors: [{ in: "body", name: "", detail }] }, error);
}

/** Returns why the service cannot read a body; `undefined` if it is plain JSON in UTF-8. */
function mediaFault(request: HttpRequest): "type" | "charset" | "encoding" | undefined {
  const contentType = request.header("content-type") ?? "";
  // Most requests have exactly this type.
  if (contentType !== "application/json") {
    if (!JSON_TYPE.test(contentType)) return "type";
    if (!isUtf8(contentType)) return "charset";
  }
  return isPlain(request.header("content-encoding") ?? "") ? undefined : "encoding";
}

/** `application/json` or a type with the suffix `+json` (RFC 6839), with any parameters. */
const JSON_TYPE = /^\s*application\/(?:[\w.-]{1,64}\+)?json\s*(?:;|$)/i;

/** Returns false if the content type declares a charset other than UTF-8 (RFC 8259, section 8.1). */
function isUtf8(contentType: string): boolean {
  if (!/charset/i.test(contentType)) return true;
  const declared = contentType.matchAll(/;\s*charset\s*=\s*(["']?)([^;"']*)\1/gi);
  return [...declared].every(([, , charset = ""]) => /^(?:utf-?8)?$/i.test(charset.trim()));
}

/** Returns whether a body has no content coding (RFC 9110, section 8.4); "identity" means none. */
function isPlain(encodings: string): boolean {
  return encodings === "" || encodings.split(",").every((coding) => /^(?:identity)?$/i.test(coding.trim()));
}

/** Decodes a body in UTF-8, without a byte order mark. Throws for other bytes. */
const bodyText = new TextDecoder("utf-8", { fatal: true });

/** Parses a JSON body. Returns `undefined` and appends to `faults` if it is malformed. */
export function parseJson(body: Uint8Array, faults: Fault[]): unknown {
  return parseJsonText(body, faults)?.value;
}

/** Does the same as `parseJson`, and also returns the text. */
export function parseJsonText(body: Uint8Array, faults: Fault[]): ParsedText | undefined {
  try {
    const text = bodyText.decode(body);
    return { text, value: JSON.parse(text) as unknown };
  } catch {
    faults.push({ in: "body", name: "", detail: "The body is not well-formed JSON in UTF-8." });
    return undefined;
  }
}

/** Parses a body that must be a JSON object. Returns an empty object and appends to `faults` if it is none. */
export function parseObject(body: Uint8Array, faults: Fault[]): object {
  const parsed = parseJson(body, faults);
  if (parsed === undefined || isEmptyArray(parsed)) return {};
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  faults.push({ in: "body", name: "", detail: "The body is not a JSON object." });
  return {};
}

/** Returns whether a value is an empty array. PHP writes an object without members as one. */
export function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Reads a JSON object; an empty body is an empty object. Refuses like `readJsonBody`, and with `invalid-request`. */
export async function readJsonObject(request: HttpRequest, limit: number): Promise<object> {
  const faults: Fault[] = [];
  const body = request.hasBody ? await readJsonBody(request, limit) : undefined;
  const object = body === undefined ? {} : parseObject(body, faults);
  refuseFaults(faults);
  return object;
}

/** Returns an object's own member, never one of the prototype; `null` if there is none. */
export function memberOf(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? Reflect.get(object, name) : null;
}

/** Refuses with `invalid-request` if there are faults. */
export function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length > 0) throw new Refusal({ code: "invalid-request", errors: faults });
}
