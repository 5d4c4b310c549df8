import type { HttpRequest } from "@antechamber/http1";
import type { Preconditions, Tags } from "../../session/data.ts";
import type { Fault } from "../../session/errors.ts";
import { refuseFaults } from "./bodies.ts";

/** An entity tag, perhaps weak (RFC 9110, section 8.8.3). */
const TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;
/** Maximum number of tags in a header. */
const MAX_TAGS = 64;

/**
 * Reads `If-Match` and `If-None-Match`. Tags of the service are strong: `If-Match` compares so, and a weak tag never
 * matches; `If-None-Match` makes no difference. Refuses with `invalid-request` if one of them is malformed.
 */
export function preconditionsOf(request: HttpRequest): Preconditions {
  const faults: Fault[] = [];
  const ifMatch = tagsIn(request, "If-Match", false, faults);
  const ifNoneMatch = tagsIn(request, "If-None-Match", true, faults);
  refuseFaults(faults);
  return { ...(ifMatch && { ifMatch }), ...(ifNoneMatch && { ifNoneMatch }) };
}

function tagsIn(request: HttpRequest, name: string, takesWeak: boolean, faults: Fault[]): Tags | undefined {
  const header = request.header(name.toLowerCase());
  if (header === null) return undefined;
  if (header.trim() === "*") return "*";
  const texts = header.split(",", MAX_TAGS + 1);
  const matches = texts.map((text) => TAG.exec(text.trim()));
  if (texts.length > MAX_TAGS || matches.includes(null)) {
    const detail = `${name} must be *, or up to ${MAX_TAGS} entity tags in double quotes, as in the header ETag.`;
    faults.push({ in: "header", name, detail });
  }
  return matches.flatMap((match) => (match === null || (match[1] !== undefined && !takesWeak) ? [] : [match[2] ?? ""]));
}
