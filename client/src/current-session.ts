import type { Exclusive } from "./exclusive.ts";
import type { ProblemError } from "./problem-error.ts";
import type { SessionInfo } from "./protocol.ts";
import { idOf, type SessionJar } from "./session-jar.ts";
import type { Ids, Transport } from "./transport.ts";

/** The session of one visitor, the same in all tabs. */
export interface CurrentSession {
  /** Its id, as far as it is known here and now. */
  id(): string | undefined;
  /** The session, created or replaced where needed, once for all who ask at the same moment. */
  get(): Promise<SessionInfo>;
  /** The session that the same visitor has instead of this one, which is over; if there is one. */
  successorOf(sessionId: string): Promise<string | undefined>;
  /** Associates ids, in a new session where this one is another person's. */
  identify(ids: Ids): Promise<SessionInfo>;
  /** Takes over an id that the site's server gave, unless `instead` has been replaced already. */
  adopt(sessionId: string, instead: string | undefined): void;
  /** Forgets the session: the next to ask gets a new one. */
  reset(): void;
}

/** Milliseconds for which what the service said about the session is believed. */
const FRESH = 60_000;

/** Keeps the session in `jar`; its life is changed in `exclusive` turns alone. */
export function createCurrentSession(
  transport: Transport,
  jar: SessionJar,
  exclusive: Exclusive,
): CurrentSession {
  let known: { entry: string; info: SessionInfo; at: number } | undefined;
  let asking: Promise<SessionInfo> | undefined;
  let replaced: { before: string | undefined; by: string } | undefined;

  const id = () => {
    const entry = jar.read();
    return entry && idOf(entry);
  };

  function keep(info: SessionInfo, entry: string): SessionInfo {
    known = { entry, info, at: Date.now() };
    return info;
  }

  async function load(): Promise<SessionInfo> {
    const entry = jar.read();
    const info = entry ? await transport.retrieve(idOf(entry)) : await transport.create();
    // Without Web Locks a tab that was held up may get here beside another: the first one's counts.
    if (!entry && jar.read()) return await load();
    const isTheSame = entry?.startsWith(`${info.sessionId} `);
    if (!isTheSame) replaced = { before: entry && idOf(entry), by: info.sessionId };
    return keep(info, jar.write(info.sessionId, isTheSame ? entry : undefined));
  }

  function refresh(): Promise<SessionInfo> {
    asking ??= exclusive(load).finally(() => {
      asking = undefined;
    });
    return asking;
  }

  return {
    id,
    async successorOf(sessionId) {
      if (sessionId === id()) await refresh();
      return replaced?.before === sessionId ? replaced.by : undefined;
    },
    async get() {
      // Either way: a clock that was set must not keep old news fresh.
      const isFresh = known && Math.abs(Date.now() - known.at) < FRESH;
      return known && isFresh && known.entry === jar.read() ? known.info : await refresh();
    },
    identify: (ids) =>
      exclusive(async () => {
        const info = await associate(transport, id(), ids);
        return keep(info, jar.write(info.sessionId));
      }),
    adopt(sessionId, instead) {
      if (id() !== instead) return;
      replaced = { before: instead, by: sessionId };
      jar.write(sessionId);
    },
    reset: () => jar.clear(),
  };
}

async function associate(
  transport: Transport,
  sessionId: string | undefined,
  ids: Ids,
): Promise<SessionInfo> {
  if (!sessionId) return await transport.create(ids);
  try {
    return await transport.update(sessionId, ids);
  } catch (error) {
    const { code, problem } = error as ProblemError;
    if (code === "session-not-found") return await transport.create(ids);
    const isAnothers = problem?.field === "customerId" || problem?.field === "agentId";
    if (!isAnothers) throw error;
    return await createForNext(transport, ids);
  }
}

/** A session for whoever uses the computer after another person. */
async function createForNext(transport: Transport, ids: Ids): Promise<SessionInfo> {
  try {
    return await transport.create(ids);
  } catch (error) {
    // The visit is the other person's (rule 2). Nobody is to be kept in that session for its sake.
    if ((error as ProblemError).code !== "already-exists") throw error;
    return await transport.create({ ...ids, visitId: null });
  }
}
