import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import type { RequestEntry, Timeline } from "@antechamber/client/protocol";
import { NoResponse } from "../support/caller.ts";
import type { Random } from "../support/random.ts";

/*
 * A client's own list of the records that a server accepted, to compare with the server's data later.
 *
 * Each session has one sender, so its records have one order. The server must return the records that were sent, in
 * that order, up to some point, and that point must not lie before the last one that it promised to keep.
 */

/** Guarantee of a response: the record is on disk, or will be soon. */
type Promised = "durable" | "soon";

interface Batch {
  readonly paths: readonly string[];
  /** Guarantee that the server gave, and when (ms of `performance.now`); `undefined` without a response. */
  answer: { readonly promised: Promised; readonly at: number } | undefined;
}

/** Sends records to a server. */
export interface RecordSender extends Disposable {
  /** Returns the status; throws `NoAnswer`. */
  send(
    sessionId: string,
    paths: readonly string[],
    durable: boolean,
    headers?: Readonly<Record<string, string>>,
  ): Promise<number>;
  /** Returns all paths of a session's timeline, whose sequences must have no gaps from 1 on. */
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
  /** Sends a batch of 1 to 5 records to one of the sessions, and enters the outcome. */
  record(sender: RecordSender, sessionId: string, random: Random): Promise<void>;
  /** Number of records that the server accepted. */
  accepted(): number;
  /** Time of the slowest response in ms. */
  slowest(): number;
  /**
   * Verifies all sessions, and takes what is there as the new expectation. Accepted records answered at or after
   * `lostAfter` (`performance.now`) may be missing unless they were durable. Returns how many accepted records are
   * missing, and how long (ms) before `diedAt` the first of them was answered.
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
      const status = await sender.send(sessionId, paths, promised === "durable");
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

/** Records into the sessions from many senders, each with sessions of its own, until the server is gone. */
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
