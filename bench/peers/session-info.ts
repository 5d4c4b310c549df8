/** The peers' copy of the service's answer, so that all put the same bytes on the wire. */
export type Identity = {
  createdAt?: number;
  agentId?: string | null;
  customerId?: string | null;
  visitId?: string | null;
  globalVisitId?: string | null;
};

/** Idle time of the peers' sessions in seconds: the service's default. */
export const IDLE_SECONDS = 1800;

/** Signs the peers' cookies; any value of 32 characters and more costs the same. */
export const COOKIE_SECRET = "a-secret-of-the-benchmarks-of-32+-characters";

const NAMES = ["agentId", "customerId", "visitId", "globalVisitId"] as const;

/** Returns the ids that a request gives: two headers, two members of the body. */
export function given(
  headers: Record<string, unknown>,
  body: unknown,
): Partial<Record<(typeof NAMES)[number], unknown>> {
  const members = typeof body === "object" && body !== null ? body : {};
  return { ...members, agentId: headers.gkc_agentid, customerId: headers.gkc_customerid };
}

/** Sets the ids that are not set yet. Returns false, and sets nothing, when one differs. */
export function associate(session: Identity, ids: ReturnType<typeof given>): boolean {
  const fresh: [(typeof NAMES)[number], string][] = [];
  for (const name of NAMES) {
    const id = ids[name];
    if (typeof id !== "string" || id === "") continue;
    if (session[name] && session[name] !== id) return false;
    if (!session[name]) fresh.push([name, id]);
  }
  for (const [name, id] of fresh) session[name] = id;
  return true;
}

/** The answer. */
export function sessionInfo(sessionId: string, session: Identity) {
  const now = Date.now();
  return {
    sessionId,
    state: session.customerId || session.agentId ? "recognized" : "anonymous",
    agentId: session.agentId ?? null,
    customerId: session.customerId ?? null,
    visitId: session.visitId ?? null,
    globalVisitId: session.globalVisitId ?? null,
    createdAt: new Date(session.createdAt ?? now).toISOString(),
    lastActiveAt: new Date(now).toISOString(),
    expiresAt: new Date(now + IDLE_SECONDS * 1000).toISOString(),
  };
}
