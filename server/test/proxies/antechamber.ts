import type { SessionInfo, Timeline } from "@antechamber/client/protocol";
import { type Api, createApi, sessionOf } from "../support/api.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

/** A real Antechamber behind a proxy. */
export interface Antechamber extends AsyncDisposable {
  readonly server: ServerProcess;
  readonly port: number;
  readonly api: Api;
  /** Creates a session with these ids. */
  createSession(ids?: Ids): Promise<SessionInfo>;
  /** Returns the first page of a session's timeline. */
  timeline(sessionId: string): Promise<Timeline>;
}

interface Ids {
  readonly customerId?: string;
  readonly agentId?: string;
  readonly visitId?: string;
  readonly globalVisitId?: string;
}

/** Starts Antechamber in a process of its own; `env` has settings in addition to the defaults. */
export async function startAntechamber(env: Readonly<Record<string, string>> = {}): Promise<Antechamber> {
  const server = await startServer({ env });
  const api = createApi(server.url);
  return {
    server,
    port: Number(new URL(server.url).port),
    api,
    async createSession({ customerId = "", agentId = "", ...json } = {}) {
      const bytes = (text: string) => Buffer.from(text, "utf8").toString("latin1");
      const headers = { "gkc-customerId": bytes(customerId), "gkc-agentId": bytes(agentId) };
      return sessionOf(await api.create({ headers, json }));
    },
    async timeline(sessionId) {
      const answer = await api.call("GET", `/sessions/${sessionId}/requests`);
      if (answer.status !== 200) throw new Error(answer.text);
      return JSON.parse(answer.text) as Timeline;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
