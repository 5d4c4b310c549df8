import { type Locks, type Page, quietly, type WebStorage } from "./page.ts";
import { ProblemError } from "./problem-error.ts";
import { withSuffix } from "./session-state.ts";
import { sleep } from "./sleep.ts";

/** Runs a task while no other task of this client, or of a tab that shares its storage, runs. */
export type Mutex = <T>(task: () => Promise<T>) => Promise<T>;

const LOCK_NAME = "antechamber.lock";
/** Time (ms) until another tab, which may be another process, sees a write to the storage. */
const PROPAGATION_MS = 40;
/** Age (ms) at which a lock in the storage counts as abandoned, because its tab was closed. */
const ABANDONED_MS = 5000;

/** Creates a mutex. A task that cannot start within `timeout` milliseconds is rejected with the code `timeout`. */
export function createMutex(page: Page | undefined, storage: WebStorage | undefined, timeout: number): Mutex {
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
    const run = () => task().then(resolve, reject);
    const whileLocked = async () => {
      await run();
      // The caller already has the result. The lock is held a little longer, so that the next tab sees the task's
      // writes.
      await sleep(PROPAGATION_MS);
    };
    locks.request(LOCK_NAME, { signal }, whileLocked).catch((cause: unknown) => {
      if (signal.aborted) reject(new ProblemError({ code: "timeout", cause }));
      // Sandboxed pages may not use Web Locks. They do not share a storage with other tabs, so they need no lock.
      else void run();
    });
  });
}

/**
 * Runs a task under a lock in the storage, for pages without TLS, where Web Locks are not available. A tab writes its
 * name into the storage, and holds the lock if the name is still there after a delay.
 */
async function withStoredLock<T>(storage: WebStorage, timeout: number, task: () => Promise<T>): Promise<T> {
  const givesUpAt = Date.now() + timeout;
  const holder = () => quietly(() => storage.getItem(LOCK_NAME));
  let own: string;
  for (;;) {
    const now = Date.now();
    if (now > givesUpAt) throw new ProblemError({ code: "timeout" });
    // A negative age means that the clock was set back. The lock must not last until the clock has caught up.
    const age = now - Number(holder());
    own = withSuffix(now);
    if (!(age >= 0 && age <= ABANDONED_MS)) {
      quietly(() => storage.setItem(LOCK_NAME, own));
      // If the storage is full or blocked, it cannot store a lock. Then the task runs without one.
      if (holder() !== own) break;
    }
    await sleep(PROPAGATION_MS * (1 + Math.random()));
    if (holder() === own) break;
  }
  try {
    return await task();
  } finally {
    if (holder() === own) quietly(() => storage.removeItem(LOCK_NAME));
  }
}
