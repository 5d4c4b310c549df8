import type { Requests } from "./requests.ts";

/** The operations that are measured. */
export type Operation =
  | "retrieve"
  | "retrieve-anonymous"
  | "retrieve-by-fetch"
  | "create-anonymous"
  | "create-with-ids"
  | "associate";

/** Where a client finds the session in an answer: a Lua pattern that captures it. */
export type TicketSource = { from: "body" | "cookie"; pattern: string };

/** A service under load. */
export type Running = {
  url: string;
  /** Its processes; those below them are found. */
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
  /** The worst failure that an answered create or associate survives. */
  durable: "power cut" | "restart" | "nothing" | "does not apply";
  requests: Requests;
  ticket: TicketSource;
  operations: Operation[];
  start: () => Promise<Running>;
};

/** The ticket of a service that names the session in its answer. */
export const inBody: TicketSource = { from: "body", pattern: '"sessionId":"([^"]+)"' };

/** The ticket of session middleware: the cookie, name and value. */
export const inCookie: TicketSource = { from: "cookie", pattern: "^([^;]+)" };
