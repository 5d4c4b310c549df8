import type { HttpRequest } from "@antechamber/http1";
import { faultOfId } from "../../session/caller-ids.ts";
import type { Fault } from "../../session/errors.ts";
import { handleIn } from "../../session/id.ts";
import { memberOf, readJsonObject, refuseFaults } from "./bodies.ts";
import { MAX_BODY_BYTES } from "./identity.ts";

const DEFAULT_MINUTES = 10;
const MAX_MINUTES = 60;
const MINUTE_MS = 60_000;

/** Reads the body of a request for a view token. Refuses with `invalid-request`, which lists every fault. */
export async function readViewTokenBody(request: HttpRequest) {
  const body = await readJsonObject(request, MAX_BODY_BYTES);
  const faults: Fault[] = [];
  const fault = (name: string, detail: string) => faults.push({ in: "body", name, detail: `${name} ${detail}.` });
  const [session, customerId, minutes] = ["session", "customerId", "minutes"].map((name) => memberOf(body, name));
  const handle = typeof session === "string" ? handleIn(session) : undefined;
  if ((session === null) === (customerId === null)) fault("session", "or customerId is needed, and only one of them");
  else if (session !== null && handle === undefined) fault("session", "is neither a handle nor a session id");
  else if (customerId !== null) {
    const isId = typeof customerId === "string" && customerId !== "" && faultOfId(customerId) === undefined;
    if (!isId) fault("customerId", "is not an id of 1 to 256 characters without control characters");
  }
  const given = minutes ?? DEFAULT_MINUTES;
  if (!Number.isInteger(given) || Number(given) < 1 || Number(given) > MAX_MINUTES) {
    fault("minutes", `is not a whole number of 1 to ${MAX_MINUTES}`);
  }
  refuseFaults(faults);
  const view = handle === undefined ? { customerId: String(customerId) } : { handle };
  return { view, validForMs: Number(given) * MINUTE_MS };
}
