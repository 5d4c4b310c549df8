import { temporaryFolder } from "../processes.ts";
import { collectTickets } from "../tickets.ts";
import type { Store } from "./store.ts";
import { redisSubjects } from "./subjects.ts";

/** What recognized sessions take up in Redis, everything that belongs to them included. */
export type MemoryResult = { subject: string; sessions: number; bytesPerSession: number };

/** Fills an empty store with so many sessions, each with a customer and two visit ids, all random. */
export async function measureMemory(
  store: Store,
  name: string,
  sessions: number,
): Promise<MemoryResult> {
  const subject = redisSubjects.find((one) => one.name === name);
  if (!subject) throw new TypeError(`${name} is not known`);
  store.reset();
  const servers = await subject.start(store);
  const folder = temporaryFolder();
  try {
    const [url = ""] = servers.urls;
    const create = subject.requests.createWithIds;
    // What the first ones bring along is no session's.
    const { count } = await collectTickets(subject, url, create, folder.path, 1000);
    const before = store.bytes();
    const made = await collectTickets(subject, url, create, folder.path, sessions);
    const added = made.count;
    if (count < 1000 || added < sessions) throw new Error(`${name}: ${added} sessions were made`);
    const bytesPerSession = Math.round((store.bytes() - before) / added);
    return { subject: name, sessions: added, bytesPerSession };
  } finally {
    await servers.close();
    folder.remove();
  }
}
