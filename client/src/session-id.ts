const SESSION_ID = /^[\w-]{40}$/;

/** Returns whether a text has the form of a session id (contract.md#session-ids). */
export function isSessionId(text: string | null | undefined): text is string {
  return SESSION_ID.test(text ?? "");
}

/** Returns the handle of a session id, which names the session but does not open it (contract.md#session-ids). */
export function handleOf(sessionId: string): string {
  return sessionId.slice(0, 24);
}
