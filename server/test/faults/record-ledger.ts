import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import type { RequestEntry, Timeline } from "@antechamber/client/protocol";
import { sessionOf } from "../support/api.ts";
import { createCaller, NoResponse } from "../support/caller.ts";
import type { Random } from "../support/random.ts";

/*
 * A ledger of the request records that a server accepted, to compare with the server's data later.
 *
 * Each session has one sender, so the order of its records is known. The server must return them in that order. The
 * last ones may be missing, but none that the server had to keep.
 */

/** Environment of a server whose sessions do not expire before they are verified, however long the test takes. */
export const longLife = { ANTECHAMBER_ANONYMOUS_IDLE: "24h", ANTECHAMBER_RECOGNIZED_IDLE: "24h" };

/** Creates anonymous sessions, and returns their ids. */
export async function createSessions(url: string, count: number): Promise<string[]> {
  using caller = createCaller(url);
  const answers = await Promise.all(Array.from({ length: count }, () => caller.create()));
  return answers.map((answer) => sessionOf(answer).sessionId);
}

/** Guarantee of a response: the records are on disk (`durable`), or will be soon. */
type Promised = "durable" | "soon";

interface Batch {
  readonly paths: readonly string[];
  /** The guarantee of the response, and when it arrived (`performance.now`); `undefined` without a response. */
  answer: { readonly promised: Promised; readonly at: number } | undefined;
}

/** Sends records to a server. */
export interface RecordSender extends Disposable {
  /** Returns the status; throws `NoResponse` if there is none. */
  send(
    sessionId: string,
    paths: readonly string[],
    durable: boolean,
    headers?: Readonly<Record<string, string>>,
  ): Promise<number>;
  /** Returns all recorded paths of a session. Throws if its sequence numbers have gaps. */
  paths(sessionId: string): Promise<string[]>;
}

/** Creates a sender to the server at `url`, with keep-alive connections. */
export function createRecordSender(url: string): RecordSender {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const call = (method: string, path: string, body?: string, more = {}) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const fail = (error: Error) => reject(new NoResponse(`${method} ${path}: ${error.message}`));
      const headers = { "content-type": "application/json", ...more };
      const sent = request(url + path, { method, agent, headers, timeout: 30_000 }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", fail);
        response.on("close", () => {
          if (response.complete) resolve({ status: response.statusCode ?? 0, text });
          else fail(new Error("the answer was cut"));
        });
      });
      sent.on("timeout", () => sent.destroy(new Error("no answer within 30 s")));
      sent.on("error", fail);
      sent.end(body);
    });
  return {
    async send(sessionId, paths, durable, headers) {
      const body = JSON.stringify(paths.map((path) => ({ method: "GET", path })));
      const query = durable ? "?durable=true" : "";
      return (await call("POST", `/sessions/${sessionId}/requests${query}`, body, headers)).status;
    },
    async paths(sessionId) {
      const entries: RequestEntry[] = [];
      for (let after: string | null = "0"; after !== null; ) {
        const query: string = `after=${after}&limit=1000`;
        const { status, text } = await call("GET", `/sessions/${sessionId}/requests?${query}`);
        assert.equal(status, 200, text);
        const page = JSON.parse(text) as Timeline;
        entries.push(...page.records.filter((entry) => entry.type === "request"));
        after = page.next;
      }
      for (const [i, { sequence }] of entries.entries()) assert.equal(sequence, i + 1);
      return entries.map(({ path }) => path);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

export interface RecordLedger {
  /** Sends 1 to 5 records of a session in one request, and enters the outcome. */
  record(sender: RecordSender, sessionId: string, random: Random): Promise<void>;
  /** Returns the number of records that the server accepted. */
  accepted(): number;
  /** Returns the longest response time in ms, or the time without a response. */
  slowest(): number;
  /**
   * Verifies all sessions; later calls expect what this one finds. A record that was not durable may be missing if its
   * response came at or after `lostAfter` (`performance.now`). Returns how many accepted records are missing, and how
   * long (ms) before `diedAt` the first of these had its response.
   */
  verify(sender: RecordSender, lostAfter: number, diedAt: number): Promise<Missing>;
}

interface Missing {
  readonly records: number;
  readonly age: number;
}

/** Creates a ledger for existing sessions. */
export function createRecordLedger(sessionIds: readonly string[]): RecordLedger {
  const settled = new Map<string, string[]>(sessionIds.map((id) => [id, []]));
  const pending = new Map<string, Batch[]>(sessionIds.map((id) => [id, []]));
  let count = 0;
  let accepted = 0;
  let slowest = 0;

  async function verifyOne(sender: RecordSender, id: string, lostAfter: number, diedAt: number): Promise<Missing> {
    const known = settled.get(id) ?? [];
    const batches = pending.get(id) ?? [];
    const found = await sender.paths(id);
    assert.deepEqual(found.slice(0, known.length), known, "what was there has changed");
    const missing = { records: 0, age: 0 };
    let at = known.length;
    for (const { paths, answer } of batches) {
      const part = found.slice(at, at + paths.length);
      if (part.length > 0) {
        assert.deepEqual(part, paths, "records are in another order, or a request is there in part");
        at += paths.length;
        continue;
      }
      if (answer === undefined) continue;
      assert.ok(answer.promised === "soon", "a durable record is lost");
      assert.ok(answer.at >= lostAfter, `lost ${diedAt - answer.at} ms after it was accepted`);
      missing.records += paths.length;
      missing.age = Math.max(missing.age, diedAt - answer.at);
    }
    assert.equal(found.length, at, "records are there that were not sent");
    settled.set(id, found);
    pending.set(id, []);
    return missing;
  }

  return {
    async record(sender, sessionId, random) {
      const paths = Array.from({ length: random.between(1, 5) }, () => `/${++count}`);
      const promised: Promised = random.between(1, 10) === 1 ? "durable" : "soon";
      const batch: Batch = { paths, answer: undefined };
      pending.get(sessionId)?.push(batch);
      const start = performance.now();
      const status = await sender.send(sessionId, paths, promised === "durable").catch((error: unknown) => {
        // Until it was killed, the server may have stood still for this time.
        slowest = Math.max(slowest, performance.now() - start);
        throw error;
      });
      assert.equal(status, 202);
      batch.answer = { promised, at: performance.now() };
      slowest = Math.max(slowest, batch.answer.at - start);
      accepted += paths.length;
    },
    accepted: () => accepted,
    slowest: () => slowest,
    async verify(sender, lostAfter, diedAt) {
      const missing = { records: 0, age: 0 };
      const queue = sessionIds.values();
      const work = async () => {
        for (const id of queue) {
          const one = await verifyOne(sender, id, lostAfter, diedAt);
          missing.records += one.records;
          missing.age = Math.max(missing.age, one.age);
        }
      };
      await Promise.all(Array.from({ length: 32 }, work));
      return missing;
    },
  };
}

/** Lets many workers, each with its own sessions, send records until the server is gone. */
export async function recordUntilGone(
  sender: RecordSender,
  ledger: RecordLedger,
  sessionIds: readonly string[],
  random: Random,
  workers = 24,
): Promise<void> {
  const work = async (_: unknown, worker: number) => {
    const own = sessionIds.filter((_id, i) => i % workers === worker);
    try {
      for (;;) await ledger.record(sender, random.pick(own), random);
    } catch (error) {
      if (!(error instanceof NoResponse)) throw error;
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
}
