import type { AuditPage, EndReceipt, ErasureReceipt, SessionList, Timeline } from "@antechamber/client/protocol";
import { handleOf } from "../../src/session/id.ts";
import { type Answer, type Api, sessionOf } from "../support/api.ts";
import { assertions, type Case } from "./table.ts";

/** The session and the customer that a request is about. */
export interface Target {
  readonly id: string;
  /** The visit of that session, or a new one for an unknown session. */
  readonly visitId: string;
  readonly customerId: string;
}

/** Sends the request of a case. */
export function ask({ asserts, operation }: Case, caller: Api, target: Target): Promise<Answer> {
  const headers = assertions[asserts];
  const { id, visitId } = target;
  const path = `/sessions/${id}`;
  const customer = `/customers/${target.customerId}`;
  const record = { method: "GET", path: "/" };
  switch (operation) {
    case "create":
      return caller.create({ headers });
    case "retrieve":
      return caller.retrieve(id, { headers });
    case "head":
      return caller.call("HEAD", path, { headers });
    case "update":
      return caller.update(id, { headers, json: { globalVisitId: "g" } });
    case "record":
      return caller.call("POST", `${path}/requests`, { headers, json: record });
    case "timeline":
      return caller.call("GET", `${path}/requests`, { headers });
    case "data":
      return caller.call("GET", `${path}/data`, { headers });
    case "change-data":
      return caller.call("PATCH", `${path}/data`, { headers, json: { step: 1 } });
    case "handle-data":
      return caller.call("GET", `/sessions/${handleOf(id)}/data`);
    case "handle-change":
      return caller.call("PATCH", `/sessions/${handleOf(id)}/data`, { json: { step: 1 } });
    case "forward-auth":
      return caller.call("GET", "/forward-auth", { headers: { ...headers, "gkc-sessionid": id } });
    case "list":
      return caller.call("GET", `/sessions?visitId=${visitId}`, { headers });
    case "end":
      return caller.call("DELETE", path, { headers });
    case "handle-timeline":
      return caller.call("GET", `/sessions/${handleOf(id)}/requests`);
    case "handle-end":
      return caller.call("DELETE", `/sessions/${handleOf(id)}`, { headers });
    case "end-many":
      return caller.call("POST", "/sessions/end", { headers, json: { visitId } });
    case "end-all":
      return caller.call("POST", "/sessions/end", { headers, json: { all: true, dryRun: true } });
    case "export":
      return caller.call("GET", `${customer}/export`, { headers });
    case "erase":
      return caller.call("DELETE", customer, { headers });
    case "audit":
      return caller.call("GET", "/audit?limit=10", { headers });
    case "events":
      return caller.call("GET", "/events?after=start&limit=10", {
        headers: { ...headers, accept: "application/x-ndjson" },
      });
    case "stats":
      return caller.call("GET", "/stats", { headers });
    case "webhooks":
      return caller.call("GET", "/webhooks", { headers });
    case "api-keys":
      return caller.call("GET", "/api-keys", { headers });
    case "new-key":
      return caller.call("POST", "/api-keys", { headers, json: { role: "reporter" } });
    case "view-token":
      return caller.call("POST", "/view-tokens", { headers, json: { customerId: target.customerId } });
    case "settings":
      return caller.call("GET", "/configuration", { headers });
    default:
      return caller.call("GET", "/metrics", { headers });
  }
}

const words: Readonly<Record<string, string>> = {
  "400 already-exists": "exists",
  "401 credential-required": "none",
  "401 invalid-credential": "invalid",
  "403 identity-mismatch": "mismatch",
  "403 role-not-permitted": "role",
  "404 session-not-found": "absent",
};

/** Returns the table's word for the response, or its status and code if the table has no word for it. */
export function outcomeOf({ operation }: Case, answer: Answer, target: Target): string {
  const { status, headers, text } = answer;
  const { id } = target;
  if (operation === "head") return String(status);
  if (status >= 400) {
    const { code } = JSON.parse(text) as { code: string };
    return words[`${status} ${code}`] ?? `${status} ${code}`;
  }
  switch (operation) {
    case "create":
      return status === 200 ? "new" : String(status);
    case "retrieve":
      return sessionOf(answer).sessionId === id ? "same" : "new";
    case "update":
      return sessionOf(answer).sessionId === id ? "done" : "another session";
    case "record":
      return status === 202 ? "done" : String(status);
    case "timeline":
    case "handle-timeline":
      return (JSON.parse(text) as Timeline).handle === handleOf(id) ? "shown" : "another timeline";
    case "data":
    case "handle-data":
      return typeof JSON.parse(text) === "object" ? "shown" : text;
    case "change-data":
    case "handle-change":
      return text === '{"step":1}' ? "done" : text;
    case "forward-auth":
      return headers.get("gkc-sessionid") === id ? "same" : "new";
    case "end":
    case "handle-end":
      return status === 204 ? "done" : String(status);
    case "new-key":
    case "view-token":
      return status === 201 ? "shown" : String(status);
    default:
      return status === 200 ? outcomeForMany(operation, text, target) : String(status);
  }
}

/** Returns the table's word for a successful operation that is not on a single session. */
function outcomeForMany(operation: string, text: string, { id, customerId }: Target): string {
  switch (operation) {
    case "list": {
      const handles = (JSON.parse(text) as SessionList).sessions.map(({ handle }) => handle);
      if (handles.length === 0) return "empty";
      return handles.join() === handleOf(id) ? "shown" : "other sessions";
    }
    case "end-many": {
      const { sessions } = JSON.parse(text) as EndReceipt;
      if (sessions === 0) return "empty";
      return sessions === 1 ? "done" : `${sessions} ended`;
    }
    case "end-all":
      return (JSON.parse(text) as EndReceipt).sessions > 0 ? "shown" : "empty";
    case "export":
      return exported(text, id, customerId);
    case "erase": {
      const { sessions, isComplete } = JSON.parse(text) as ErasureReceipt;
      if (!isComplete) return "incomplete";
      return sessions === 0 ? "empty" : "done";
    }
    case "audit":
      return (JSON.parse(text) as AuditPage).entries.length > 0 ? "shown" : "empty";
    default:
      return "shown";
  }
}

function exported(text: string, id: string, customerId: string): string {
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  if (lines.at(-1)?.["type"] !== "end") return "cut off";
  const sessions = lines.filter(({ type }) => type === "session");
  if (sessions.some((session) => session["customerId"] !== customerId)) return "other sessions";
  if (sessions.length === 0) return lines.at(-1)?.["sessions"] === 0 ? "empty" : "no sessions";
  return sessions.some((session) => session["handle"] === handleOf(id)) ? "shown" : "other sessions";
}
