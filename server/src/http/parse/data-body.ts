import type { HttpRequest } from "@antechamber/http1";
import { type DataChange, MAX_DATA_BYTES, readData } from "../../session/data.ts";
import { type Fault, Refusal } from "../../session/errors.ts";
import { bodyText, parseJson, readJsonBody, refuseFaults } from "./bodies.ts";

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
  const read = readData(textOf(body));
  if ("faults" in read) {
    refuseFaults(read.faults.map(({ place, detail }) => ({ in: "body", name: place, detail }) as const));
  }
  const { json } = read as Extract<typeof read, { json: string }>;
  return kind === "merge" ? { kind, patch: json } : { kind, json };
}

/** Returns the text of a well-formed JSON body. */
function textOf(body: Uint8Array): string {
  const faults: Fault[] = [];
  parseJson(body, faults);
  refuseFaults(faults);
  return bodyText.decode(body);
}
