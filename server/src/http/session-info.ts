import type { SessionInfo } from "@antechamber/client/protocol";
import { isRecognized, type Session } from "../session/session.ts";

/** A session as it is shown to callers (contract, SessionInfo). */
export function sessionInfo(session: Session): SessionInfo {
  return {
    sessionId: session.id,
    state: isRecognized(session) ? "recognized" : "anonymous",
    agentId: session.agentId,
    customerId: session.customerId,
    visitId: session.visitId,
    globalVisitId: session.globalVisitId,
    createdAt: isoTime(session.createdAt),
    lastActiveAt: isoTime(session.lastActiveAt),
    expiresAt: isoTime(session.expiresAt),
  };
}

function isoTime(time: number): string {
  return new Date(time).toISOString();
}
