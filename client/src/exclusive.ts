import { type Locks, type Page, quietly, type SessionStorage } from "./page.ts";
import { pause } from "./pause.ts";
import { ProblemError } from "./problem-error.ts";
import { randomKey } from "./transport.ts";

/** Runs tasks one at a time, in this client and in all tabs of the site that share a storage. */
export type Exclusive = <T>(task: () => Promise<T>) => Promise<T>;

const NAME = "antechamber.lock";
/** Milliseconds for a tab's writes to storage to be seen by another one, which is another process. */
const SPREAD = 40;
/** Milliseconds after which a lock in storage is taken to be left by a tab that was closed. */
const ABANDONED = 5000;

/** Waits for its turn for `timeout` milliseconds at most, then rejects with code `timeout`. */
export function createExclusive(
  page: Page | undefined,
  storage: SessionStorage | undefined,
  timeout: number,
): Exclusive {
  let last: Promise<unknown> = Promise.resolve();
  const locks = page?.navigator.locks;
  const acrossTabs: Exclusive = (task) => {
    if (locks) return withWebLock(locks, timeout, task);
    return storage ? withStoredLock(storage, timeout, task) : task();
  };
  return (task) => {
    const turn = last.then(() => acrossTabs(task));
    last = turn.catch(() => undefined);
    return turn;
  };
}

async function withWebLock<T>(locks: Locks, timeout: number, task: () => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(timeout);
  return await new Promise<T>((resolve, reject) => {
    const held = async () => {
      await task().then(resolve, reject);
      // Who asked has its answer; the next tab waits until it can see it.
      await pause(SPREAD);
    };
    locks.request(NAME, { signal }, held).catch((cause: unknown) => {
      if (signal.aborted) reject(new ProblemError({ code: "timeout", cause }));
      // Sandboxed pages may not have locks; each of them is alone.
      else task().then(resolve, reject);
    });
  });
}

/** Pages without TLS have no Web Locks: whose name stays in the storage for a while has the lock. */
async function withStoredLock<T>(
  storage: SessionStorage,
  timeout: number,
  task: () => Promise<T>,
): Promise<T> {
  const name = randomKey();
  const giveUp = Date.now() + timeout;
  const holder = () => (quietly(() => storage.getItem(NAME)) ?? "").split(" ");
  for (;;) {
    const now = Date.now();
    if (now > giveUp) throw new ProblemError({ code: "timeout" });
    // A clock that was set back must not make the lock last.
    const since = now - Number(holder()[1] ?? 0);
    if (since < 0 || since > ABANDONED) {
      quietly(() => storage.setItem(NAME, `${name} ${now}`));
      // A full or blocked storage has no locks either: then this tab works alone.
      if (holder()[0] !== name) break;
    }
    await pause(SPREAD * (1 + Math.random()));
    if (holder()[0] === name) break;
  }
  try {
    return await task();
  } finally {
    if (holder()[0] === name) quietly(() => storage.removeItem(NAME));
  }
}
