import type { HttpRequest } from "@antechamber/http1";
import { faultOfId } from "../../session/caller-ids.ts";
import type { Fault } from "../../session/errors.ts";
import { bodyFields, headerFields, headerNames, type IdField } from "../../session/fields.ts";
import { type Identity, noIdentity } from "../../session/session.ts";
import { faultOfLabel, noTraits, type Traits } from "../../session/traits.ts";
import { memberOf, parseObject, readJsonBody, refuseFaults } from "./bodies.ts";
import { textOfBytes, utf8OfBytes } from "./header-text.ts";

/** The maximum length of a body that is read, in bytes (contract.md#refusals). */
export const MAX_BODY_BYTES = 16 * 1024;

/** The headers of each id in both spellings: as requests are asked for them, and as messages show them. */
const idHeaders = headerFields.map((field) => {
  const shown = headerNames(field);
  return { field, shown, names: shown.map((name) => name.toLowerCase()) as [string, string] };
});
type IdHeaders = (typeof idHeaders)[number];
const allHeaders = idHeaders.flatMap(({ names }) => names);

/** Returns the ids in a request's headers. Refuses with `invalid-request`, which lists every fault. */
export function identityOfHeaders(request: HttpRequest): Identity {
  if (!hasIdentityHeaders(request)) return noIdentity;
  const faults: Fault[] = [];
  const ids = readHeaders(request, faults);
  refuseFaults(faults);
  return ids;
}

/** The content of a request to create or update a session. */
export interface GivenContent {
  readonly ids: Identity;
  readonly traits: Traits;
}

/**
 * Returns the ids in headers and body, and the traits in the body. `profiles` are the names of the configured profiles.
 * Refuses: `invalid-request`, `body-too-large`, `unsupported-media-type`.
 */
export function contentOfRequest(
  request: HttpRequest,
  profiles: readonly string[],
): GivenContent | Promise<GivenContent> {
  return request.hasBody ? readWithBody(request, profiles, false) : contentOfHeaders(request);
}

/** The content of an update. */
export interface UpdateContent extends GivenContent {
  /** Whether the session is to get its next id (contract.md#rule-9). */
  readonly rotate: boolean;
}

/** Returns the content of an update. Refuses as `contentOfRequest` does. */
export function updateOfRequest(
  request: HttpRequest,
  profiles: readonly string[],
): UpdateContent | Promise<UpdateContent> {
  return request.hasBody ? readWithBody(request, profiles, true) : { ...contentOfHeaders(request), rotate: false };
}

const noContent: GivenContent = { ids: noIdentity, traits: noTraits };

function contentOfHeaders(request: HttpRequest): GivenContent {
  const ids = identityOfHeaders(request);
  return ids === noIdentity ? noContent : { ids, traits: noTraits };
}

/** Returns whether the request has any identity header. Checked first, because most requests have none. */
function hasIdentityHeaders(request: HttpRequest): boolean {
  for (const name of allHeaders) if (request.header(name) !== null) return true;
  return false;
}

/** Returns the content of headers and body. Only an update can rotate. */
async function readWithBody(
  request: HttpRequest,
  profiles: readonly string[],
  isUpdate: boolean,
): Promise<UpdateContent> {
  const body = await readJsonBody(request, MAX_BODY_BYTES);
  if (body === undefined) return { ...contentOfHeaders(request), rotate: false };
  const faults: Fault[] = [];
  const members = parseObject(body, faults);
  const ids = { ...readHeaders(request, faults) };
  for (const field of bodyFields) ids[field] = readMember(members, field, faultOfId, faults);
  const profile = readMember(members, "profile", (name) => faultOfProfile(name, profiles), faults);
  const label = readMember(members, "label", faultOfLabel, faults);
  const rotate = isUpdate && readRotate(members, faults);
  refuseFaults(faults);
  return { ids, traits: profile === null && label === null ? noTraits : { profile, label }, rotate };
}

/**
 * Returns whether the member `rotate` is `true`. Refuses every value that is not a boolean, such as `"false"`: callers
 * could mean either by it.
 */
function readRotate(members: object, faults: Fault[]): boolean {
  const value = memberOf(members, "rotate");
  if (value === null || typeof value === "boolean") return value === true;
  faults.push({ in: "body", name: "rotate", detail: "rotate is neither true nor false." });
  return false;
}

function readMember(
  members: object,
  name: string,
  faultOf: (text: string) => string | undefined,
  faults: Fault[],
): string | null {
  const value = memberOf(members, name);
  if (value === null || value === "") return null;
  const fault = typeof value === "string" ? faultOf(value) : faultOfType(value);
  if (fault !== undefined) faults.push({ in: "body", name, detail: `${name} ${fault}.` });
  return fault === undefined ? (value as string) : null;
}

function faultOfProfile(name: string, profiles: readonly string[]): string | undefined {
  if (profiles.includes(name)) return undefined;
  return profiles.length === 0
    ? "is given, but the setting profiles has none"
    : `is not one of the profiles ${profiles.join(", ")}`;
}

/** Numbers are not converted to strings: beyond 2^53 they lose digits, and two ids would become the same. */
function faultOfType(value: unknown): string {
  return typeof value === "number"
    ? 'is a number; ids and other texts are strings, so put it in double quotes, such as "4711"'
    : "is not a string";
}

function readHeaders(request: HttpRequest, faults: Fault[]): Record<IdField, string | null> {
  const ids = { ...noIdentity };
  for (const headers of idHeaders) ids[headers.field] = readEither(request, headers, faults);
  return ids;
}

function readEither(request: HttpRequest, { names, shown }: IdHeaders, faults: Fault[]): string | null {
  const first = request.header(names[0]);
  const second = request.header(names[1]);
  if (first === null && second === null) return null;
  const one = readHeader(first, shown[0], faults);
  const other = readHeader(second, shown[1], faults);
  if (one !== null && other !== null && one !== other) {
    const detail = `${shown[0]} and ${shown[1]} have different values.`;
    faults.push({ in: "header", name: shown[0], detail });
  }
  return one ?? other;
}

function readHeader(raw: string | null, name: string, faults: Fault[]): string | null {
  if (raw === null || raw === "") return null;
  // Browsers and many HTTP libraries can only send ISO-8859-1, others send UTF-8. In both encodings, "müller" must be
  // the same customer.
  const value = textOfBytes(raw);
  const fault = faultOfHeader(value);
  if (fault === undefined) return value;
  faults.push({ in: "header", name, detail: `${name} ${fault}.` });
  return null;
}

/**
 * Returns the id that a trusted proxy asserts; `null` if the header is absent, `undefined` if the id is malformed or
 * given twice. Accepts only UTF-8, because this id decides which sessions the caller can reach. If ISO-8859-1 were
 * accepted too, two ids could have the same bytes: those of "mÃ¼ller" in ISO-8859-1 are those of "müller" in UTF-8.
 */
export function readProxyId(raw: string | null): string | null | undefined {
  if (raw === null || raw === "") return null;
  const value = utf8OfBytes(raw);
  return value === undefined || faultOfHeader(value) !== undefined ? undefined : value;
}

function faultOfHeader(value: string): string | undefined {
  // Runtimes join the values of a repeated header with a comma and a space.
  if (value.includes(", ")) return "is given twice, or contains a comma followed by a space";
  return faultOfId(value);
}
