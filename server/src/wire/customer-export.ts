import type { SessionSummary } from "@antechamber/client/protocol";
import type { ExportEntry } from "../services/customers.ts";
import type { Session } from "../session/session.ts";
import { sessionInfo } from "./session-info.ts";
import { entryInfo } from "./timeline-info.ts";

/** A session in a list: as its callers see it, and how it stands. */
export function sessionSummary(session: Session, status: SessionSummary["status"]): SessionSummary {
  return { ...(JSON.parse(sessionInfo(session)) as SessionSummary), status };
}

/** What is told of a customer, as a line of JSON, without its line break. */
export function exportLine(told: ExportEntry): string {
  switch (told.type) {
    case "key":
      return JSON.stringify({ type: "key", ...told.key });
    case "session":
      return JSON.stringify({ type: "session", ...sessionSummary(told.session, told.status) });
    case "entry":
      return JSON.stringify({ type: "entry", sessionId: told.id, entry: entryInfo(told.entry) });
    case "answer": {
      const { idempotent: once, storedAt } = told.answer;
      const at = new Date(storedAt).toISOString();
      return JSON.stringify({ type: "answer", sessionId: told.id, at, answer: once.response });
    }
  }
}
