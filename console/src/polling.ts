/** Interval in milliseconds at which pages refresh what they show, unless they say otherwise. */
export const REFRESH_MS = 10_000;

/** Longest interval in milliseconds after failures. */
const MAX_BACKOFF_MS = 120_000;

/** A task that runs again and again. */
export interface Polling {
  /** Runs the task now, and then waits a whole interval. A run that is under way is aborted. */
  runNow(): void;
  stop(): void;
}

/**
 * Runs a task at once, and then at an interval while the page is visible. A hidden page sends no requests; when it is
 * visible again, it runs the task if that is due. After a failure the interval doubles, up to two minutes. Without an
 * interval the task runs once, and at `runNow`.
 */
export function startPolling(task: (signal: AbortSignal) => Promise<unknown>, everyMs?: number): Polling {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | undefined;
  let failures = 0;
  let dueAt = 0;
  let isStopped = false;

  const schedule = () => {
    clearTimeout(timer);
    if (isStopped || running !== undefined || document.hidden || dueAt === Number.POSITIVE_INFINITY) return;
    timer = setTimeout(run, Math.max(0, dueAt - performance.now()));
  };

  const run = () => {
    clearTimeout(timer);
    running?.abort();
    const controller = new AbortController();
    running = controller;
    const count = async () => {
      try {
        await task(controller.signal);
        failures = 0;
      } catch {
        failures += 1;
      }
    };
    void count().finally(() => {
      if (running !== controller) return;
      running = undefined;
      const interval = everyMs === undefined ? Number.POSITIVE_INFINITY : everyMs * 2 ** Math.min(failures, 10);
      const bound = everyMs === undefined ? interval : Math.max(everyMs, Math.min(interval, MAX_BACKOFF_MS));
      dueAt = performance.now() + bound;
      schedule();
    });
  };

  document.addEventListener("visibilitychange", schedule);
  run();
  return {
    runNow: run,
    stop() {
      isStopped = true;
      clearTimeout(timer);
      running?.abort();
      running = undefined;
      document.removeEventListener("visibilitychange", schedule);
    },
  };
}
