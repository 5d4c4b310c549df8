import type { Requests } from "./requests.ts";

/** An operation that is measured. */
export type Operation =
  | "retrieve"
  | "retrieve-anonymous"
  | "retrieve-by-fetch"
  | "create-anonymous"
  | "create-with-ids"
  | "associate"
  | "associate-rotate";

/** Where a response contains the ticket (the session's id or cookie), and the Lua pattern that captures it. */
export type TicketSource = { from: "body" | "cookie"; pattern: string };

/** A running service that can get a load. */
export type Running = {
  url: string;
  /** The processes of the service. Their child processes are found automatically. */
  pids: number[];
  /** Time (ms) from the start of the process until it was ready. */
  startedInMs?: number;
  close: () => Promise<void>;
};

/** A service that can be measured. */
export type Subject = {
  name: string;
  title: string;
  group: "ours" | "peers" | "limit";
  /** The worst failure after which an acknowledged create or associate is still stored. */
  durable: "power cut" | "restart" | "nothing" | "does not apply";
  requests: Requests;
  ticket: TicketSource;
  operations: Operation[];
  start: () => Promise<Running>;
};

/** The ticket of a service whose response contains the session id in the body. */
export const inBody: TicketSource = { from: "body", pattern: '"sessionId":"([^"]+)"' };

/** The ticket of session middleware, which is the name and value of the cookie. */
export const inCookie: TicketSource = { from: "cookie", pattern: "^([^;]+)" };
