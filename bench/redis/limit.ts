import { spawn } from "node:child_process";
import { once } from "node:events";
import { run } from "../processes.ts";
import { byPath, type RequestTemplate } from "../requests.ts";
import { send } from "../send.ts";
import { CONNECTIONS } from "../wrk.ts";
import { type RedisOperation, record } from "./loads.ts";
import { ask, type Store } from "./store.ts";
import { redisSubjects } from "./subjects.ts";

/** How fast Redis alone can execute the commands of one operation of the service. */
export type LimitResult = {
  operation: RedisOperation;
  /**
   * The commands that the service sends for one request, each with how often per second Redis can execute it. Those that
   * many requests share are not included: index entries, and reading and removing notes.
   */
  commands: { name: string; perSecond: number }[];
  /** How often per second Redis could execute all commands of the operation. */
  perSecond: number;
};

/** Number of key names over which the reads are spread. */
const KEYS = 10_000;

/**
 * Measures the limit of each operation: observes the commands that the service sends for one request, and then sends
 * them with `redis-benchmark`, over as many connections as the load uses, with random numbers instead of ids and
 * visits.
 */
export async function measureLimit(
  store: Store,
  seconds: number,
  report: (result: LimitResult) => void,
): Promise<void> {
  const [port = 0] = store.ports;
  store.reset();
  for (const [operation, sent] of await observeAll(store)) {
    const commands: LimitResult["commands"] = [];
    for (const words of sent) {
      const name = words[0] === "evalsha" ? `evalsha (${words[2]} keys)` : (words[0] ?? "");
      commands.push({ name, perSecond: await rateOf(port, words, seconds) });
    }
    const time = commands.reduce((sum, { perSecond }) => sum + 1 / perSecond, 0);
    report({ operation, commands, perSecond: Math.round(1 / time) });
  }
}

/**
 * Returns the commands that the service sends for one request of each operation. Ends the service, because its sweep would
 * work off the notes that `redis-benchmark` writes.
 */
async function observeAll(store: Store): Promise<[RedisOperation, sent: string[][]][]> {
  const [port = 0] = store.ports;
  const servers = await redisSubjects[0]?.start(store);
  if (!servers) return [];
  try {
    const observed: [RedisOperation, sent: string[][]][] = [];
    const [url = ""] = servers.urls;
    const { createAnonymous, createWithIds, retrieve, associate } = byPath;
    const requests: [RedisOperation, request: RequestTemplate, of: RequestTemplate][] = [
      ["retrieve", retrieve, createWithIds],
      ["create-with-ids", createWithIds, createWithIds],
      ["associate", associate, createAnonymous],
      ["record", record, createWithIds],
    ];
    for (const [operation, request, of] of requests) {
      // The first request of each kind also loads scripts, so a second request is observed.
      await watch(port, async () => send(url, request, await idOf(url, of)));
      const ticket = await idOf(url, of);
      observed.push([operation, await watch(port, () => send(url, request, ticket))]);
    }
    return observed;
  } finally {
    await servers.close();
  }
}

async function idOf(url: string, request: RequestTemplate): Promise<string> {
  const response = await send(url, request);
  return ((await response.json()) as { sessionId: string }).sessionId;
}

/** Key names of indexes, of queues of notes, and of the data that all processes share (store/redis/DESIGN.md). */
const SHARED = /^ac:(?:[inxe]:\{|\{fixed\})/;

/**
 * Returns the commands that are sent to Redis while `work` runs, without those of scripts, of the service's heartbeat and
 * sweep, and of batches that many requests share.
 */
async function watch(port: number, work: () => Promise<unknown>): Promise<string[][]> {
  const monitor = spawn("redis-cli", ["-p", String(port), "monitor"]);
  const closed = once(monitor, "close");
  let text = "";
  monitor.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  while (!text.includes("OK")) await new Promise((resolve) => setTimeout(resolve, 10));
  await work();
  // The service sends records to Redis with a delay.
  await new Promise((resolve) => setTimeout(resolve, 400));
  monitor.kill();
  await closed;
  return text
    .split("\n")
    .filter((line) => line.includes('] "') && !/ lua\] |\] "(info|ping)"/.test(line))
    .map((line) => wordsOf(line.slice(line.indexOf('] "') + 2)))
    .filter((words) => !SHARED.test((words[0]?.startsWith("eval") ? words[3] : words[1]) ?? ""));
}

/** Parses the words of a line that MONITOR has printed. Each word is in quotes and may contain escapes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) =>
    word.replaceAll(/\\(x[0-9a-f]{2}|.)/g, (_, code: string) =>
      code.length === 3
        ? String.fromCodePoint(Number.parseInt(code.slice(1), 16))
        : ({ n: "\n", r: "\r", t: "\t" }[code] ?? code),
    ),
  );
}

/** Measures with `redis-benchmark` how many of these commands Redis executes per second. */
async function rateOf(port: number, words: string[], seconds: number): Promise<number> {
  const [name = "", key = ""] = words;
  // A session that is younger than two minutes is read together with its record that is set aside.
  const isRead = name === "get" || name === "mget";
  if (isRead) await bench(port, KEYS, 10 * KEYS, ["SET", randomized(key), ask(port, "get", key).trimEnd()]);
  const range = isRead ? KEYS : 1e9;
  // The second word of EVALSHA is the name of the script. It is as long as an id but must not be replaced.
  const varied = words.map((word, at) => (at === 1 && !isRead ? word : randomized(word)));
  const trial = await bench(port, range, 20_000, varied);
  return Math.round(await bench(port, range, Math.ceil(trial * seconds), varied));
}

/** The placeholder of `redis-benchmark` for a random number of 12 digits. */
const RANDOM = "__rand_int__";

/** Replaces handles, the callers' ids and hashes of visits by random numbers of the same length. */
function randomized(word: string): string {
  return word
    .replaceAll(/[\w-]{24,}/g, (text) => RANDOM.padStart(24, "0") + text.slice(24))
    .replace(/(?<=:v:\{)[\w-]{18}/, RANDOM.padStart(18, "0"));
}

async function bench(port: number, range: number, requests: number, words: string[]): Promise<number> {
  const load = ["-p", port, "-c", CONNECTIONS, "-n", requests, "-r", range].map(String);
  const output = await run("redis-benchmark", [...load, "--csv", ...words]);
  // A line of the output has the command, which may contain quotes, the requests per second, and six latencies.
  const fields = output.trim().split('","');
  const perSecond = Number(fields.at(-7));
  if (!(perSecond > 0)) throw new Error(`redis-benchmark printed:\n${output}`);
  return perSecond;
}
