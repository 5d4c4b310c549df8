import type { HttpRequest } from "@antechamber/http1";
import { faultOfStoredId } from "../../session/caller-ids.ts";
import type { Fault } from "../../session/errors.ts";
import { isEventPlace, type LoggedType, loggedTypes } from "../../session/event.ts";
import { preferredType } from "./accept.ts";
import { refuseFaults } from "./bodies.ts";
import { parametersOf } from "./header-text.ts";
import { checkParameterNames, limitOf } from "./paging.ts";

/** The content of a request for events. */
export interface EventQuery {
  /** `null`: all types. */
  readonly types: ReadonlySet<LoggedType> | null;
  /** `null`: all customers. */
  readonly customerId: string | null;
  /** The position after which the events begin, or `start` or `end` of the log. The log may not have this position. */
  readonly after: string;
  readonly format: "event-stream" | "json-lines";
  /** Set for a poll, whose response ends: the maximum number of events, and how long (ms) it waits for the first. */
  readonly poll: { readonly limit: number; readonly waitMs: number } | null;
}

/** The longest time that a poll may wait for an event, in seconds. */
const MAX_WAIT_SECONDS = 60;
const names = ["types", "customerId", "after", "limit", "wait"];

/** Reads a request for events. Refuses with `invalid-request`, which lists every fault. */
export function readEventQuery(request: HttpRequest): EventQuery {
  const parameters = parametersOf(request.query);
  const faults: Fault[] = [];
  const fault = (name: string, detail: string) => faults.push({ in: "query", name, detail });
  checkParameterNames(parameters, names, faults);
  const types = parameters.get("types");
  for (const type of types?.split(",") ?? []) {
    if (!isLoggedType(type)) fault("types", `types is a list of ${loggedTypes.join(", ")}, with commas between them.`);
  }
  const customerId = parameters.get("customerId");
  if (customerId === "" || (customerId !== null && faultOfStoredId(customerId) !== undefined)) {
    fault("customerId", "customerId is not an id of 1 to 256 characters without control characters.");
  }
  const after = parameters.get("after");
  if (after !== null && !isEventPlace(after)) {
    fault("after", "after is not the id of an event, start or end: give it one of these, or leave it out.");
  }
  const type = preferredType(request.header("accept"), ["text/event-stream", "application/x-ndjson"]);
  const format = type === "application/x-ndjson" ? "json-lines" : "event-stream";
  const isPoll = parameters.has("limit") || parameters.has("wait");
  if (isPoll && format === "event-stream") {
    fault(parameters.has("limit") ? "limit" : "wait", "limit and wait need the header Accept: application/x-ndjson.");
  }
  const poll = isPoll ? { limit: limitOf(parameters, faults), waitMs: waitOf(parameters, faults) } : null;
  refuseFaults(faults);
  return {
    types: types === null ? null : new Set(types.split(",").filter(isLoggedType)),
    customerId,
    // A reader that reconnects by itself repeats its first URL, so the header counts more than the parameter. A header
    // that is no id is a place that is gone: a browser would never connect again after a refusal.
    after: request.header("last-event-id") || after || "end",
    format,
    poll,
  };
}

function isLoggedType(type: string): type is LoggedType {
  return (loggedTypes as readonly string[]).includes(type);
}

function waitOf(parameters: URLSearchParams, faults: Fault[]): number {
  const text = parameters.get("wait") ?? "0";
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  if (seconds > MAX_WAIT_SECONDS) {
    const detail = `wait is not a whole number of seconds from 0 to ${MAX_WAIT_SECONDS}.`;
    faults.push({ in: "query", name: "wait", detail });
  }
  return seconds * 1000;
}
