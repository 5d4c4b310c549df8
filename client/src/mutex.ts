import { type Locks, type Page, quietly, type WebStorage } from "./page.ts";
import { ProblemError } from "./problem-error.ts";
import { sleep } from "./sleep.ts";
import { randomKey } from "./transport.ts";

/** Runs a task while no other task runs, in this client and in all tabs that share its storage. */
export type Mutex = <T>(task: () => Promise<T>) => Promise<T>;

const LOCK_NAME = "antechamber.lock";
/** Milliseconds until another tab, which is another process, sees a write to the storage. */
const PROPAGATION_MS = 40;
/** Age in milliseconds at which a lock in the storage counts as left behind by a closed tab. */
const ABANDONED_MS = 5000;

/** Creates a mutex. It rejects with code `timeout` if a task cannot start within `timeout` milliseconds. */
export function createMutex(
  page: Page | undefined,
  storage: WebStorage | undefined,
  timeout: number,
): Mutex {
  let last: Promise<unknown> = Promise.resolve();
  const locks = page?.navigator.locks;
  return (task) => {
    const turn = last.then(() => {
      if (locks) return withWebLock(locks, timeout, task);
      return storage ? withStoredLock(storage, timeout, task) : task();
    });
    last = turn.catch(() => undefined);
    return turn;
  };
}

async function withWebLock<T>(locks: Locks, timeout: number, task: () => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(timeout);
  return await new Promise<T>((resolve, reject) => {
    const whileLocked = async () => {
      await task().then(resolve, reject);
      // The caller has its result; the next tab must wait until it can see the task's writes.
      await sleep(PROPAGATION_MS);
    };
    locks.request(LOCK_NAME, { signal }, whileLocked).catch((cause: unknown) => {
      if (signal.aborted) reject(new ProblemError({ code: "timeout", cause }));
      // A sandboxed page may not use locks. It shares nothing with other tabs, so it needs none.
      else task().then(resolve, reject);
    });
  });
}

/** For pages without TLS, which have no Web Locks: a tab holds the lock if its name is still stored after a delay. */
async function withStoredLock<T>(
  storage: WebStorage,
  timeout: number,
  task: () => Promise<T>,
): Promise<T> {
  const name = randomKey();
  const givesUpAt = Date.now() + timeout;
  const holder = () => (quietly(() => storage.getItem(LOCK_NAME)) ?? "").split(" ");
  for (;;) {
    const now = Date.now();
    if (now > givesUpAt) throw new ProblemError({ code: "timeout" });
    // Negative if the clock was set back, which must not make the lock last.
    const age = now - Number(holder()[1] ?? 0);
    if (age < 0 || age > ABANDONED_MS) {
      quietly(() => storage.setItem(LOCK_NAME, `${name} ${now}`));
      // A full or blocked storage cannot hold a lock: then this tab works alone.
      if (holder()[0] !== name) break;
    }
    await sleep(PROPAGATION_MS * (1 + Math.random()));
    if (holder()[0] === name) break;
  }
  try {
    return await task();
  } finally {
    if (holder()[0] === name) quietly(() => storage.removeItem(LOCK_NAME));
  }
}
