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

/** The extra time of an fsync, in addition to that of the machine's own disk. */
const FSYNC_MS = 5;

/** 64 connections that wait this long between requests send 1,000 per second. */
const BOUNDED_PAUSE_MS = CONNECTIONS;

/** Measures reads alone, during 1,000 writes per second, and during as many writes as 64 clients can send. */
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
    const bounded = await together(
      running,
      reads,
      { ...writes, pauseMs: BOUNDED_PAUSE_MS },
      warmUp,
    );
    const after = await measure(running, reads);
    const unbounded = await together(running, reads, writes, warmUp);
    // Measures reads immediately before and after, because the machine's speed changes, and takes the better result:
    // a runtime that is still warming up would make the later measurement look better.
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

/** Writes during the whole measurement of the reads. */
async function together(running: Running, reads: Load, writes: Load, warmUp: number) {
  const writing = load(writes);
  await load({ ...reads, seconds: warmUp });
  const found = { reads: await measure(running, reads), writes: await writing };
  if (found.writes.p50 < FSYNC_MS) {
    throw new Error(`a create took ${found.writes.p50} ms: the slow disk has no effect`);
  }
  return found;
}
