import type { SessionInfo, SessionSummary } from "@antechamber/client/protocol";
import type { ExportEntry } from "../services/customers.ts";
import type { SessionView } from "../services/session-admin.ts";
import { handleOf, SESSION_ID_CHARACTERS } from "../session/id.ts";
import { identityOf, isRecognized } from "../session/session.ts";
import { entryInfo } from "./timeline-info.ts";

/** Returns a session as it appears in lists and exports. It has the handle instead of the id, which opens the session. */
export function sessionSummary({ session, status, isCurrent }: SessionView): SessionSummary {
  return {
    handle: session.handle,
    state: isRecognized(session) ? "recognized" : "anonymous",
    ...identityOf((field) => session[field]),
    createdAt: new Date(session.createdAt).toISOString(),
    lastActiveAt: new Date(session.lastActiveAt).toISOString(),
    expiresAt: new Date(session.expiresAt).toISOString(),
    ...(session.profile === null ? {} : { profile: session.profile }),
    ...(session.label === null ? {} : { label: session.label }),
    status,
    ...(isCurrent === undefined ? {} : { isCurrent }),
  };
}

/** Formats an item of an export as a line of JSON, without the line break. */
export function exportLine(item: ExportEntry): string {
  switch (item.type) {
    case "key":
      return JSON.stringify({ type: "key", ...item.key });
    case "session":
      return JSON.stringify({ type: "session", ...sessionSummary(item) });
    case "data":
      return JSON.stringify({ type: "data", handle: item.handle, data: JSON.parse(item.data) as unknown });
    case "entry":
      return JSON.stringify({ type: "entry", handle: item.handle, entry: entryInfo(item.entry) });
    case "answer": {
      const { idempotent, storedAt } = item.answer;
      const at = new Date(storedAt).toISOString();
      const answer = withoutId(idempotent.response);
      return JSON.stringify({ type: "answer", handle: item.handle, at, answer });
    }
  }
}

/**
 * Returns a stored response as JSON, with the handle of the session instead of the id, which would open it. The stored
 * response of a rotation is the new id alone.
 */
function withoutId(response: string): string {
  if (response.length === SESSION_ID_CHARACTERS) return JSON.stringify({ handle: handleOf(response) });
  const { sessionId, ...rest } = JSON.parse(response) as Partial<SessionInfo>;
  return sessionId === undefined ? response : JSON.stringify({ handle: handleOf(sessionId), ...rest });
}
