import type { HttpRequest } from "@antechamber/http1";
import { type DataChange, MAX_DATA_BYTES, readData } from "../../session/data.ts";
import { type Fault, Refusal } from "../../session/errors.ts";
import { parseJsonText, readJsonBody, refuseFaults } from "./bodies.ts";

/** The media type of a JSON patch (RFC 6902), which is not a merge patch. */
const JSON_PATCH = /^\s*application\/json-patch\+json\s*(?:;|$)/i;

/**
 * Reads the change in a request: a merge patch, or the whole data. Any JSON type is accepted, because many clients send
 * `application/json` for a merge patch. Refuses as `readJsonBody` does, and with `invalid-request`, which names the place
 * of each fault.
 */
export async function readDataChange(request: HttpRequest, kind: DataChange["kind"]): Promise<DataChange> {
  if (kind === "merge" && JSON_PATCH.test(request.header("content-type") ?? "")) {
    throw new Refusal({ code: "unsupported-media-type", refused: "patch" });
  }
  const body = (request.hasBody ? await readJsonBody(request, MAX_DATA_BYTES) : undefined) ?? new Uint8Array();
  const faults: Fault[] = [];
  const parsed = parseJsonText(body, faults);
  const read = parsed && readData(parsed);
  if (read !== undefined && "faults" in read) {
    faults.push(...read.faults.map(({ place, detail }) => ({ in: "body", name: place, detail }) as const));
  }
  refuseFaults(faults);
  return { kind, json: (read as Extract<typeof read, { json: string }>).json };
}
