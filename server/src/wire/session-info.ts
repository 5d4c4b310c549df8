import { isRecognized, type Session } from "../session/session.ts";

/**
 * A session as it is shown to callers: the JSON text of a `SessionInfo` (contract, section 1). Put
 * together by hand, as it is most of the work of an answer: ids of ours and times need no escaping.
 */
export function sessionInfo(session: Session): string {
  const state = isRecognized(session) ? "recognized" : "anonymous";
  return `{"sessionId":"${session.id}","state":"${state}","agentId":${quoted(session.agentId)},"customerId":${quoted(session.customerId)},"visitId":${quoted(session.visitId)},"globalVisitId":${quoted(session.globalVisitId)},"createdAt":"${isoTime(session.createdAt)}","lastActiveAt":"${isoTime(session.lastActiveAt)}","expiresAt":"${isoTime(session.expiresAt)}"}`;
}

function quoted(id: string | null): string {
  return id === null ? "null" : JSON.stringify(id);
}

/** Sessions of one millisecond show the same times, and formatting is half of what an answer costs. */
const formatted = new Map<number, string>();
const MAX_FORMATTED = 64;

function isoTime(time: number): string {
  let text = formatted.get(time);
  if (text === undefined) {
    if (formatted.size >= MAX_FORMATTED) formatted.clear();
    text = new Date(time).toISOString();
    formatted.set(time, text);
  }
  return text;
}
