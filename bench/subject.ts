import type { Requests } from "./requests.ts";

/** A measured operation. */
export type Operation =
  | "retrieve"
  | "retrieve-anonymous"
  | "retrieve-by-fetch"
  | "create-anonymous"
  | "create-with-ids"
  | "associate";

/** A Lua pattern that captures the session's id or cookie in a response. */
export type TicketSource = { from: "body" | "cookie"; pattern: string };

/** A service under load. */
export type Running = {
  url: string;
  /** Its processes; their child processes are found automatically. */
  pids: number[];
  /** Milliseconds from the start of its process until it was ready. */
  startedInMs?: number;
  close: () => Promise<void>;
};

/** A service that can be measured. */
export type Subject = {
  name: string;
  title: string;
  group: "ours" | "peers" | "limit";
  /** The failures that an acknowledged create or associate survives. */
  durable: "power cut" | "restart" | "nothing" | "does not apply";
  requests: Requests;
  ticket: TicketSource;
  operations: Operation[];
  start: () => Promise<Running>;
};

/** The ticket of a service whose response contains the session id. */
export const inBody: TicketSource = { from: "body", pattern: '"sessionId":"([^"]+)"' };

/** The ticket of session middleware: the name and value of the cookie. */
export const inCookie: TicketSource = { from: "cookie", pattern: "^([^;]+)" };
