import { setTimeout as delay } from "node:timers/promises";
import { temporaryFolder } from "../processes.ts";
import { collectTickets } from "../tickets.ts";
import type { Store } from "./store.ts";
import { redisSubjects } from "./subjects.ts";

/** The memory that recognized sessions take in Redis, including everything that is stored for them. */
export type MemoryResult = { subject: string; sessions: number; bytesPerSession: number };

/** Measures the memory of sessions in an empty store, each with a random customer and two random visit ids. */
export async function measureMemory(store: Store, name: string, sessions: number): Promise<MemoryResult> {
  const subject = redisSubjects.find((one) => one.name === name);
  if (!subject) throw new TypeError(`${name} is not known`);
  store.reset();
  const servers = await subject.start(store);
  const folder = temporaryFolder();
  try {
    const [url = ""] = servers.urls;
    const create = subject.requests.createWithIds;
    // The first 1,000 sessions are not measured, because creating them also loads scripts and allocates shared memory.
    const { count } = await collectTickets(subject, url, create, folder.path, 1000);
    const before = await settledBytes(store);
    const made = await collectTickets(subject, url, create, folder.path, sessions);
    const added = made.count;
    if (count < 1000 || added < sessions) throw new Error(`${name}: ${added} sessions were made`);
    const bytesPerSession = Math.round(((await settledBytes(store)) - before) / added);
    return { subject: name, sessions: added, bytesPerSession };
  } finally {
    await servers.close();
    folder.remove();
  }
}

/** A growth (bytes) within a second that is not that of sessions. */
const NOISE = 8192;

/** Returns the memory of the store in bytes, once the service has written the index entries of all sessions. */
async function settledBytes(store: Store): Promise<number> {
  for (let before = store.bytes(); ; ) {
    await delay(1000);
    const bytes = store.bytes();
    if (Math.abs(bytes - before) < NOISE) return bytes;
    before = bytes;
  }
}
