import type { SessionSummary } from "@antechamber/client/protocol";
import type { ExportEntry } from "../services/customers.ts";
import type { Session } from "../session/session.ts";
import { sessionInfo } from "./session-info.ts";
import { entryInfo } from "./timeline-info.ts";

/** Returns a session as it appears in lists and exports: its `SessionInfo` and its status. */
export function sessionSummary(session: Session, status: SessionSummary["status"]): SessionSummary {
  return { ...(JSON.parse(sessionInfo(session)) as SessionSummary), status };
}

/** Formats an item of an export as a line of JSON, without the line break. */
export function exportLine(item: ExportEntry): string {
  switch (item.type) {
    case "key":
      return JSON.stringify({ type: "key", ...item.key });
    case "session":
      return JSON.stringify({ type: "session", ...sessionSummary(item.session, item.status) });
    case "entry":
      return JSON.stringify({ type: "entry", sessionId: item.id, entry: entryInfo(item.entry) });
    case "answer": {
      const { idempotent, storedAt } = item.answer;
      const at = new Date(storedAt).toISOString();
      return JSON.stringify({
        type: "answer",
        sessionId: item.id,
        at,
        answer: idempotent.response,
      });
    }
  }
}
