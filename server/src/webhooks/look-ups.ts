/** Resolves a host name into addresses. Rejects if it has none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** A look-up that takes this long (ms) has waited for a name server that does not respond. */
const SLOW_MS = 2000;
/** Maximum number of host names that are remembered as slow. */
const MAX_SLOW = 1000;

/**
 * Returns a look-up that runs at most `maxRunning` look-ups at the same time, and shares those of the same host. A look-up
 * occupies a thread of the runtime, cannot be cancelled, and lasts for many seconds if the name server does not respond.
 * The runtime has few threads, and other work needs them too, such as verifying tokens. So a host whose last look-up was
 * slow (`slowMs`) waits for all others, and such hosts have at most half of the look-ups.
 */
export function limitLookups(lookup: Lookup, maxRunning: number, slowMs = SLOW_MS): Lookup {
  const shared = new Map<string, Promise<readonly string[]>>();
  const slowHosts = new Set<string>();
  const queues = { usual: [] as (() => void)[], slow: [] as (() => void)[] };
  const running = { usual: 0, slow: 0 };
  const maxSlow = Math.ceil(maxRunning / 2);

  function startNext(): void {
    if (running.usual + running.slow >= maxRunning) return;
    const next = queues.usual.shift() ?? (running.slow < maxSlow ? queues.slow.shift() : undefined);
    next?.();
  }

  async function run(host: string): Promise<readonly string[]> {
    const kind = slowHosts.has(host) ? "slow" : "usual";
    const turn = new Promise<void>((resolve) => {
      queues[kind].push(() => {
        running[kind]++;
        resolve();
      });
    });
    startNext();
    await turn;
    const startedAt = performance.now();
    try {
      return await lookup(host);
    } finally {
      if (slowHosts.size >= MAX_SLOW) slowHosts.clear();
      if (performance.now() - startedAt < slowMs) slowHosts.delete(host);
      else slowHosts.add(host);
      running[kind]--;
      shared.delete(host);
      startNext();
    }
  }

  return (host) => {
    const known = shared.get(host);
    if (known !== undefined) return known;
    const started = run(host);
    shared.set(host, started);
    return started;
  };
}
