const SESSION_ID = /^[\w-]{40}$/;

/** Whether this can be an id of the service (contract, section 1). */
export function isSessionId(text: string | null | undefined): text is string {
  return SESSION_ID.test(text ?? "");
}

/** Returns the handle, which names a session and opens nothing: the part of its id that a rotation keeps (contract, "Ids"). */
export function handleOf(sessionId: string): string {
  return sessionId.slice(0, 24);
}
