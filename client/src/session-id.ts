/** A session id, or only the handle in it. */
const SESSION_NAME = /^[\w-]{24}(?:[\w-]{16})?$/;

/** Returns whether a value is a text with the form of a session id (contract.md#session-ids). */
export function isSessionId(text: unknown): text is string {
  return typeof text === "string" && text.length === 40 && isSessionName(text);
}

/** Returns the handle of a session id, which names the session but does not open it (contract.md#session-ids). */
export function handleOf(sessionId: string): string {
  return sessionId.slice(0, 24);
}

/** Returns whether `by` is a later id of the same session, so that `sessionId` was retired (contract.md#rule-9). */
export function isRetiredBy(sessionId: string, by: string): boolean {
  return handleOf(sessionId) === handleOf(by) && generationOf(sessionId) < generationOf(by);
}

/** Returns the generation of a session id, which is its 19th byte; `NaN` for the empty string. */
function generationOf(sessionId: string): number {
  return atob(sessionId.slice(24, 28).replaceAll("-", "+").replaceAll("_", "/")).charCodeAt(0);
}

/** Returns whether a text has the form of a session id or of a handle. */
export function isSessionName(text: string): boolean {
  return SESSION_NAME.test(text);
}
