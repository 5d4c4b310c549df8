import type { HttpRequest } from "@antechamber/http1";
import { type Fault, Refusal } from "../../session/errors.ts";
import { type Role, roles } from "../../session/permissions.ts";
import { memberOf, readJsonObject, refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";
import { MAX_BODY_BYTES } from "./identity.ts";
import { checkParameterNames, limitOf } from "./paging.ts";
import { parseTime } from "./time.ts";

/** The members of a request for an API key; `null` stands for a missing one. The ids and the name were not checked. */
export interface ApiKeyMembers {
  readonly name: string | null;
  readonly role: Role;
  readonly customerId: string | null;
  readonly agentId: string | null;
  /** Unix ms. */
  readonly expiresAt: number | null;
}

const keyMembers: readonly string[] = ["role", "name", "customerId", "agentId", "expiresAt"];

/**
 * Reads a request for an API key. Refuses with `invalid-request` if a member has the wrong type, or is unknown: with a
 * misspelt `agentId` or `expiresAt` the key could do more, or live longer, than its author intends.
 */
export async function readApiKeyBody(request: HttpRequest): Promise<ApiKeyMembers> {
  const body = await readJsonObject(request, MAX_BODY_BYTES);
  const faults: Fault[] = [];
  const fault = (name: string, detail: string) => faults.push({ in: "body", name, detail: `${name} ${detail}.` });
  const text = (name: string) => {
    const value = memberOf(body, name);
    if (value === null || typeof value === "string") return value;
    fault(name, "is not a string or null");
    return null;
  };
  checkMemberNames(body, keyMembers, faults);
  const role = memberOf(body, "role");
  const isRole = (roles as readonly unknown[]).includes(role);
  if (!isRole) fault("role", `is not one of ${roles.join(", ")}`);
  const given = memberOf(body, "expiresAt");
  const expiresAt = typeof given === "string" ? parseTime(given) : undefined;
  if (given !== null && expiresAt === undefined) fault("expiresAt", "is not an ISO 8601 time with a zone");
  const members = { name: text("name"), customerId: text("customerId"), agentId: text("agentId") };
  refuseFaults(faults);
  return { ...members, role: role as Role, expiresAt: expiresAt ?? null };
}

/** Appends a fault to `faults` for each member that is unknown. A name is cut, because it may be a secret. */
function checkMemberNames(body: object, known: readonly string[], faults: Fault[]): void {
  const detail = `This member is unknown. The members are ${known.join(", ")}.`;
  for (const name of Object.keys(body)) {
    if (!known.includes(name)) faults.push({ in: "body", name: name.slice(0, 32), detail });
  }
}

const DEFAULT_GRACE_SECONDS = 24 * 60 * 60;
const MAX_GRACE_SECONDS = 30 * DEFAULT_GRACE_SECONDS;

/**
 * Reads the body of a rotation. Returns the time (ms) for which the old key stays valid. Refuses unknown members, because
 * with a misspelt one a key that others know would stay valid for a day.
 */
export async function readKeyGraceMs(request: HttpRequest): Promise<number> {
  const body = await readJsonObject(request, MAX_BODY_BYTES);
  const faults: Fault[] = [];
  checkMemberNames(body, ["graceSeconds"], faults);
  refuseFaults(faults);
  const seconds = memberOf(body, "graceSeconds") ?? DEFAULT_GRACE_SECONDS;
  if (Number.isInteger(seconds) && Number(seconds) >= 0 && Number(seconds) <= MAX_GRACE_SECONDS) {
    return Number(seconds) * 1000;
  }
  const detail = `graceSeconds is not a whole number of 0 to ${MAX_GRACE_SECONDS}.`;
  throw new Refusal({ code: "invalid-request", errors: [{ in: "body", name: "graceSeconds", detail }] });
}

const keyStatuses = ["valid", "expired", "revoked"] as const;

/** Reads the parameters of a list of API keys. Refuses with `invalid-request`. */
export function apiKeyQueryOf(query: string) {
  const parameters = parametersOf(query);
  const faults: Fault[] = [];
  checkParameterNames(parameters, ["status", "cursor", "limit"], faults);
  const given = parameters.get("status");
  const status = keyStatuses.find((each) => each === given) ?? null;
  if (given !== status) {
    faults.push({ in: "query", name: "status", detail: `status is none of ${keyStatuses.join(", ")}.` });
  }
  const cursor = parameters.get("cursor") ?? "";
  if (cursor !== "" && !/^\d{4}-\d\d-\d\dT[\d:.]+Z\.[\w-]{1,40}$/.test(cursor)) {
    faults.push({ in: "query", name: "cursor", detail: "cursor is not the next of another page." });
  }
  const limit = limitOf(parameters, faults);
  refuseFaults(faults);
  return { status, cursor: cursor === "" ? null : cursor, limit };
}
