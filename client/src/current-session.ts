import type { Exclusive } from "./exclusive.ts";
import { ProblemError } from "./problem-error.ts";
import type { SessionInfo } from "./protocol.ts";
import { idOf, type SessionJar } from "./session-jar.ts";
import type { Ids, Transport } from "./transport.ts";

/** The session of one visitor, the same in all tabs. */
export interface CurrentSession {
  /** Its id, as far as it is known here and now. */
  id(): string | undefined;
  /** Changes with every reset in any tab. */
  generation(): number;
  /**
   * Returns the session, created or replaced if needed, once for all simultaneous calls. A call made
   * before a reset gets the session created after it.
   */
  get(): Promise<SessionInfo>;
  /** The session that the same visitor has instead of this one, which is over; if there is one. */
  successorOf(sessionId: string): Promise<string | undefined>;
  /** Associates ids, in a new session if this one is another person's. Rejects after a reset. */
  identify(ids: Ids): Promise<SessionInfo>;
  /**
   * Takes over an id from the site's server, unless `instead` has been replaced already or the
   * id belongs to a forgotten session.
   */
  adopt(sessionId: string, instead: string | undefined): void;
  /** Forgets an id that the site's server issued to the visitor before a reset. */
  refuse(sessionId: string): void;
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

  const { generation } = jar;
  const id = () => {
    const entry = jar.read();
    return entry && idOf(entry);
  };

  function keep(info: SessionInfo, entry: string): SessionInfo {
    known = { entry, info, at: Date.now() };
    return info;
  }

  async function load(): Promise<SessionInfo> {
    for (;;) {
      const begun = generation();
      const entry = jar.read();
      const before = entry && idOf(entry);
      const info = before ? await transport.retrieve(before) : await transport.create();
      // There was a reset meanwhile, or another session came: this one is not used any more.
      if (generation() !== begun || jar.read() !== entry) continue;
      if (info.sessionId !== before) replaced = { before, by: info.sessionId };
      const isTheSame = entry?.startsWith(`${info.sessionId}.`);
      return keep(info, jar.write(info.sessionId, isTheSame ? entry : undefined));
    }
  }

  function refresh(): Promise<SessionInfo> {
    if (asking) return asking;
    const turn = exclusive(load).finally(() => {
      if (asking === turn) asking = undefined;
    });
    asking = turn;
    return turn;
  }

  return {
    id,
    generation,
    async successorOf(sessionId) {
      if (sessionId === id()) await refresh();
      return replaced?.before === sessionId ? replaced.by : undefined;
    },
    async get() {
      for (;;) {
        // In both directions: a changed clock must not make old data look fresh.
        const isFresh = known && Math.abs(Date.now() - known.at) < FRESH;
        if (known && isFresh && known.entry === jar.read()) return known.info;
        const begun = generation();
        const info = await refresh();
        if (generation() === begun) return info;
      }
    },
    identify(ids) {
      const begun = generation();
      const check = () => {
        if (generation() !== begun) throw overtaken();
      };
      return exclusive(async () => {
        for (;;) {
          check();
          const before = id();
          const info = await associate(transport, before, ids, check);
          check();
          // If the site's server has issued another session meanwhile, the ids belong to that one.
          if (info.sessionId !== before || id() === before) {
            return keep(info, jar.write(info.sessionId));
          }
        }
      });
    },
    adopt(sessionId, instead) {
      if (id() !== instead || jar.isForgotten(sessionId)) return;
      replaced = { before: instead, by: sessionId };
      jar.write(sessionId);
    },
    refuse: (sessionId) => jar.refuse(sessionId),
    reset() {
      jar.reset();
      known = asking = replaced = undefined;
    },
  };
}

/** The error for a call made before a reset that must not be carried out after it. */
export function overtaken(): ProblemError {
  const detail = "reset() was called before this was done";
  return new ProblemError({ code: "reset", detail });
}

/** `check` throws if the call must not continue. */
async function associate(
  transport: Transport,
  sessionId: string | undefined,
  ids: Ids,
  check: () => void,
): Promise<SessionInfo> {
  if (!sessionId) return await transport.create(ids);
  try {
    return await transport.update(sessionId, ids);
  } catch (error) {
    check();
    const { code, problem } = error as ProblemError;
    if (code === "session-not-found") return await transport.create(ids);
    const isAnothers = problem?.field === "customerId" || problem?.field === "agentId";
    if (!isAnothers) throw error;
    return await createForNext(transport, ids, check);
  }
}

/** A session for whoever uses the computer after another person. */
async function createForNext(
  transport: Transport,
  ids: Ids,
  check: () => void,
): Promise<SessionInfo> {
  try {
    return await transport.create(ids);
  } catch (error) {
    check();
    // The visit belongs to the other person (contract.md#rule-2): create the session without it.
    if ((error as ProblemError).code !== "already-exists") throw error;
    return await transport.create({ ...ids, visitId: null });
  }
}
