import type { HttpRequest } from "@antechamber/http1";
import type { Preconditions, Tags } from "../../session/data.ts";
import type { Fault } from "../../session/errors.ts";
import { refuseFaults } from "./bodies.ts";
import { MAX_TAGS, readEntityTags } from "./entity-tags.ts";

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
  const tags = readEntityTags(header);
  if (tags === "*") return tags;
  if (tags === undefined) {
    const detail = `${name} must be *, or up to ${MAX_TAGS} entity tags in double quotes, as in the header ETag.`;
    faults.push({ in: "header", name, detail });
  }
  return tags?.filter(({ isWeak }) => takesWeak || !isWeak).map(({ opaque }) => opaque);
}
