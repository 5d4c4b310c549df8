/** The data of a session of a peer (another session service). Peers and our service send the same responses. */
export type Identity = {
  createdAt?: number;
  agentId?: string | null;
  customerId?: string | null;
  visitId?: string | null;
  globalVisitId?: string | null;
};

/** Idle time of the peers' sessions in seconds. It is the default of our service. */
export const IDLE_SECONDS = 1800;

/** The secret that signs the peers' cookies. Signing takes the same time with any secret of 32 or more characters. */
export const COOKIE_SECRET = "a-secret-of-the-benchmarks-of-32+-characters";

const NAMES = ["agentId", "customerId", "visitId", "globalVisitId"] as const;

/** Returns the ids that a request contains: two in headers and two in the body. */
export function given(
  headers: Record<string, unknown>,
  body: unknown,
): Partial<Record<(typeof NAMES)[number], unknown>> {
  const members = typeof body === "object" && body !== null ? body : {};
  return { ...members, agentId: headers.gkc_agentid, customerId: headers.gkc_customerid };
}

/** Sets the ids that are not set yet. If an id that is set differs, sets nothing and returns false. */
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

/** Returns the response for a session, in the format of our service. */
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
