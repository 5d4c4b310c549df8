import type { HttpRequest } from "@antechamber/http1";
import type { Fault } from "../../session/errors.ts";
import { type DeliveryState, deliveryStates } from "../../session/webhook.ts";
import { memberOf, readJsonObject, refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";
import { MAX_BODY_BYTES } from "./identity.ts";
import { checkParameterNames, limitOf } from "./paging.ts";

/** The members of an endpoint in a request; a member that is not given is missing. */
export interface WebhookMembers {
  url?: string;
  types?: readonly string[] | null;
  description?: string | null;
  isEnabled?: boolean;
}

/** Reads the members of an endpoint. Refuses with `invalid-request` if one has the wrong type. */
export async function readWebhookBody(request: HttpRequest, requiresUrl: boolean): Promise<WebhookMembers> {
  const faults: Fault[] = [];
  const body = await readJsonObject(request, MAX_BODY_BYTES);
  const members: WebhookMembers = {};
  const fault = (name: string, detail: string) => faults.push({ in: "body", name, detail: `${name} ${detail}.` });
  const [url, types, description, isEnabled] = ["url", "types", "description", "isEnabled"].map((name) =>
    Object.hasOwn(body, name) ? memberOf(body, name) : undefined,
  );
  if (typeof url === "string") members.url = url;
  else if (url !== undefined || requiresUrl) fault("url", "is missing: send the URL of the receiver as a string");
  if (types === null || isTexts(types)) members.types = types;
  else if (types !== undefined) fault("types", "is not an array of types of events, or null for all");
  if (description === null || typeof description === "string") members.description = description;
  else if (description !== undefined) fault("description", "is not a string or null");
  if (typeof isEnabled === "boolean") members.isEnabled = isEnabled;
  else if (isEnabled !== undefined) fault("isEnabled", "is not true or false");
  refuseFaults(faults);
  return members;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** Reads the body of a rotation. Returns the grace in ms. */
export async function readGraceMs(request: HttpRequest, defaultMs: number): Promise<number> {
  const seconds = memberOf(await readJsonObject(request, MAX_BODY_BYTES), "graceSeconds");
  // The service checks the limits.
  return seconds === null ? defaultMs : Number.isInteger(seconds) ? Number(seconds) * 1000 : Number.NaN;
}

const deliveryParameters: readonly string[] = ["state", "cursor", "limit"];

/** Reads the parameters of a list of deliveries. Refuses unknown ones: a misspelt filter would show everything. */
export function deliveryQueryOf(query: string) {
  const faults: Fault[] = [];
  const parameters = parametersOf(query);
  checkParameterNames(parameters, deliveryParameters, faults);
  const state = parameters.get("state");
  const isState = state === null || (deliveryStates as readonly string[]).includes(state);
  if (!isState) faults.push({ in: "query", name: "state", detail: `state is none of ${deliveryStates.join(", ")}.` });
  const cursor = parameters.get("cursor") ?? "";
  if (cursor !== "" && !/^[1-9]\d{0,11}$/.test(cursor)) {
    faults.push({ in: "query", name: "cursor", detail: "cursor is not the next of an earlier page." });
  }
  const limit = limitOf(parameters, faults);
  refuseFaults(faults);
  return { state: state as DeliveryState | null, before: cursor === "" ? null : cursor, limit };
}
