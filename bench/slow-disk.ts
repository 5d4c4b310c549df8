import { join } from "node:path";
import { measure } from "./measure.ts";
import type { Options } from "./options.ts";
import { run, temporaryFolder } from "./processes.ts";
import { byPath } from "./requests.ts";
import type { SlowDiskResult } from "./results.ts";
import type { Running } from "./subject.ts";
import { antechamber, startAntechamber } from "./subjects/antechamber.ts";
import { collectTickets } from "./tickets.ts";
import { CONNECTIONS, type Load, load } from "./wrk.ts";

const SHIM = join(import.meta.dirname, "..", "server", "test", "faults", "slow-fsync.c");

/** Time (ms) that is added to each fsync. */
const FSYNC_MS = 5;

/** Pause (ms) of each connection between two requests. With it, 64 connections send 1,000 requests per second. */
const BOUNDED_PAUSE_MS = CONNECTIONS;

/** Measures reads without writes, during 1,000 writes per second, and during as many writes as 64 clients can send. */
export async function measureSlowDisk(
  runtime: "bun" | "node",
  round: number,
  options: Options,
): Promise<SlowDiskResult> {
  const folder = temporaryFolder();
  const shim = join(folder.path, "slow-fsync.so");
  await run("gcc", ["-shared", "-fPIC", "-O2", "-o", shim, SHIM]);
  const env = { LD_PRELOAD: shim, SLOW_FSYNC_MS: String(FSYNC_MS) };
  const running = await startAntechamber(runtime, { env });
  try {
    const subject = antechamber(runtime);
    const create = byPath.createWithIds;
    const tickets = await collectTickets(subject, running.url, create, folder.path, 10_000);
    const { seconds, warmUp } = options;
    const common = { url: running.url, folder: folder.path, seconds };
    const reads: Load = { ...common, request: byPath.retrieve, tickets };
    const writes: Load = { ...common, request: create, seconds: warmUp + seconds + 1 };

    await load({ ...reads, seconds: warmUp });
    const before = await measure(running, reads);
    const bounded = await together(running, reads, { ...writes, pauseMs: BOUNDED_PAUSE_MS }, warmUp);
    const after = await measure(running, reads);
    const unbounded = await together(running, reads, writes, warmUp);
    // Reads without writes are measured before and after, because the speed of the machine changes. The better result
    // counts: a result from a runtime that is still warming up is too low, and reads during writes would look good in
    // comparison.
    const alone = after.perSecond > before.perSecond ? after : before;
    return {
      ...{ round, subject: subject.name, fsyncMs: FSYNC_MS, alone },
      beside: [
        { writers: "1,000 a second", ...bounded },
        { writers: "without limit", ...unbounded },
      ],
    };
  } finally {
    await running.close();
    folder.remove();
  }
}

/** Measures reads while writes continue during the whole measurement. */
async function together(running: Running, reads: Load, writes: Load, warmUp: number) {
  const writing = load(writes);
  await load({ ...reads, seconds: warmUp });
  const found = { reads: await measure(running, reads), writes: await writing };
  if (found.writes.p50 < FSYNC_MS) {
    throw new Error(`a create took ${found.writes.p50} ms: the slow disk has no effect`);
  }
  return found;
}
