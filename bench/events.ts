import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient } from "redis";
import { quantile, round as rounded } from "./measure.ts";
import { measureOperations } from "./operations.ts";
import type { Options } from "./options.ts";
import { startStore } from "./redis/store.ts";
import type { EventsResult, OperationResult } from "./results.ts";
import type { Running, Subject } from "./subject.ts";
import { antechamber, startAntechamber } from "./subjects/antechamber.ts";

type Engine = "sqlite" | "redis";

/** The service with and without an event log, on both engines. Only operations that publish are measured. */
export const eventSubjects: Subject[] = (["sqlite", "redis"] as const).flatMap((engine) =>
  (["on", "off"] as const).map((events) => ({
    ...antechamber("bun"),
    name: engine === "redis" ? `events-${events}-redis` : `events-${events}`,
    title: `Antechamber on Bun${engine === "redis" ? " over Redis" : ""}, events ${events}`,
    operations: ["create-with-ids", "associate"],
    start: () => startService(engine, { ANTECHAMBER_EVENTS: events }),
  })),
);

/** Starts our service on an engine. Redis shares its core. */
async function startService(engine: Engine, env: Record<string, string> = {}): Promise<Running> {
  if (engine === "sqlite") return startAntechamber("bun", { env });
  const store = await startStore("single");
  try {
    const service = await startAntechamber("bun", { env: { ...env, ANTECHAMBER_STORE: store.url } });
    const close = async () => {
      await service.close();
      await store.close();
    };
    return { ...service, pids: [...service.pids, ...store.pids], close };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Measures what events cost the changes that they report. The order of the subjects rotates. */
export async function measureEventCost(
  round: number,
  options: Options,
  report: (result: OperationResult) => void,
): Promise<void> {
  for (const subject of round % 2 === 1 ? eventSubjects : eventSubjects.toReversed()) {
    await measureOperations(subject, round, options, report);
  }
}

/** A way from a publisher to readers. `publish` publishes an event with this key. */
interface Channel extends AsyncDisposable {
  publish(key: string): Promise<unknown>;
}

/** Opens a channel. Each of its readers calls `seen` for the key of each event. */
type Open = (readers: number, seen: (key: string) => void) => Promise<Channel>;

/** Numbers of publishers that send without a pause, and of events a second in the measurement of latency. */
const PUBLISHERS = 64;
const PACED = 100;
/** Time (ms) in which readers must get the last event. */
const TIMEOUT_MS = 60_000;

const keyInEvent = /"customerId":"(k\d+)"/g;

/** Measures how events reach readers: of the stream, of an endpoint of webhooks, and of a Redis Stream. */
export async function measureEvents(
  round: number,
  { seconds, quick }: Options,
  report: (result: EventsResult) => void,
): Promise<void> {
  const channels: [EventsResult["channel"], Open, number[]][] = [
    ["stream", openStream("sqlite"), [1, 10, 100]],
    ["stream-over-redis", openStream("redis"), [1, 10, 100]],
    ["webhook", openWebhook("sqlite"), [1]],
    ["webhook-over-redis", openWebhook("redis"), [1]],
    ["redis-stream", openRedisStream, [1, 10, 100]],
  ];
  for (const [channel, open, numbers] of channels) {
    for (const readers of numbers) {
      const result = { round, channel, readers };
      report({ ...result, ...(await measureChannel(open, readers, quick ? 1 : seconds)) });
    }
  }
}

async function measureChannel(open: Open, readers: number, seconds: number) {
  const sentAt = new Map<string, number>();
  const latencies: number[] = [];
  let received = 0;
  await using channel = await open(readers, (key) => {
    received++;
    const at = sentAt.get(key);
    if (at !== undefined) latencies.push(performance.now() - at);
  });
  const drained = (count: number) => until(() => received >= count * readers);

  let published = 0;
  const paced = seconds * PACED;
  const changes: Promise<unknown>[] = [];
  for (let next = performance.now(); published < paced; next += 1000 / PACED) {
    await sleep(next - performance.now());
    const key = `k${published++}`;
    sentAt.set(key, performance.now());
    changes.push(channel.publish(key));
  }
  await Promise.all(changes);
  await drained(published);
  latencies.sort((a, b) => a - b);
  sentAt.clear();

  const startedAt = performance.now();
  const publishOn = async () => {
    while (performance.now() - startedAt < seconds * 1000) await channel.publish(`k${published++}`);
  };
  await Promise.all(Array.from({ length: PUBLISHERS }, publishOn));
  const publishSeconds = (performance.now() - startedAt) / 1000;
  await drained(published);
  const allSeconds = (performance.now() - startedAt) / 1000;
  return {
    p50: rounded(quantile(latencies, 0.5), 2),
    p99: rounded(quantile(latencies, 0.99), 2),
    publishedPerSecond: Math.round((published - paced) / publishSeconds),
    deliveredPerSecond: Math.round(((published - paced) * readers) / allSeconds),
  };
}

function creator(url: string): Channel["publish"] {
  return async (key) => {
    const response = await fetch(`${url}/sessions/new`, { method: "PUT", headers: { "gkc-customerId": key } });
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`a create was answered ${response.status}`);
  };
}

const openStream =
  (engine: Engine): Open =>
  async (readers, seen) => {
    const service = await startService(engine);
    const ending = new AbortController();
    for (let i = 0; i < readers; i++) {
      const { body } = await fetch(`${service.url}/events`, { signal: ending.signal });
      void readLines(body, seen).catch(ignore);
    }
    return {
      publish: creator(service.url),
      async [Symbol.asyncDispose]() {
        ending.abort();
        await service.close();
      },
    };
  };

/** Reads a stream line by line, as a line may be in two parts. */
async function readLines(body: ReadableStream<Uint8Array> | null, seen: (key: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of body ?? []) {
    rest += decoder.decode(part, { stream: true });
    const end = rest.lastIndexOf("\n");
    for (const [, key = ""] of rest.slice(0, end + 1).matchAll(keyInEvent)) seen(key);
    rest = rest.slice(end + 1);
  }
}

const openWebhook =
  (engine: Engine): Open =>
  async (_readers, seen) => {
    const receiver = createServer((request, response) => {
      let text = "";
      request.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      request.on("end", () => {
        for (const [, key = ""] of text.matchAll(keyInEvent)) seen(key);
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const service = await startService(engine);
    const json = JSON.stringify({ url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/` });
    const headers = { "content-type": "application/json" };
    const added = await fetch(`${service.url}/webhooks`, { method: "POST", headers, body: json });
    if (added.status !== 201) throw new Error(`the endpoint was refused: ${await added.text()}`);
    return {
      publish: creator(service.url),
      async [Symbol.asyncDispose]() {
        await service.close();
        receiver.closeAllConnections();
        receiver.close();
      },
    };
  };

/** The limit: a Redis Stream, whose readers wait with `XREAD BLOCK`. Its entries are as long as an event. */
const openRedisStream: Open = async (readers, seen) => {
  const store = await startStore("single");
  const connect = () => createClient({ url: `redis://127.0.0.1:${store.ports[0]}` }).connect();
  const writer = await connect();
  const clients = await Promise.all(Array.from({ length: readers }, connect));
  const padding = "x".repeat(450);
  for (const client of clients) {
    void (async () => {
      for (let id = "0"; client.isOpen; ) {
        const found = await client.xRead({ key: "events", id }, { BLOCK: 1000, COUNT: 256 });
        for (const { messages } of (found ?? []) as Found[]) {
          for (const { id: next, message } of messages) {
            seen(message["key"] ?? "");
            id = next;
          }
        }
      }
    })().catch(ignore);
  }
  return {
    publish: (key) => writer.xAdd("events", "*", { key, padding }),
    async [Symbol.asyncDispose]() {
      for (const client of [writer, ...clients]) client.destroy();
      await store.close();
    },
  };
};

interface Found {
  readonly messages: readonly { readonly id: string; readonly message: Readonly<Record<string, string>> }[];
}

async function until(isTrue: () => boolean): Promise<void> {
  const end = performance.now() + TIMEOUT_MS;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error("readers did not get all events");
    await sleep(1);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}

function ignore(): void {
  // The channel was closed, or its readers miss events, which `until` reports.
}
