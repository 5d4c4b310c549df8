import { join } from "node:path";
import { measure, round as rounded } from "./measure.ts";
import type { Options } from "./options.ts";
import { folderSize, LOAD_CORE, SERVER_CORE, start, temporaryFolder } from "./processes.ts";
import { byPath } from "./requests.ts";
import type { GrowthResult } from "./results.ts";
import { antechamber, startAntechamber } from "./subjects/antechamber.ts";
import { runtime } from "./subjects/node-peers.ts";
import { memory, tree } from "./usage.ts";
import { load, type Tickets } from "./wrk.ts";

/**
 * Very long lifetimes, so that no read renews a session: a renewal is a write, which would hide the cost of a large
 * store.
 */
const IDLE = { ANTECHAMBER_RECOGNIZED_IDLE: "24h", ANTECHAMBER_RECOGNIZED_LIFETIME: "240h" };

type Filled = { count: number; dataDir: string; tickets: Tickets; bytes: number };

/** Seconds added to the warm-up: at first, a server on a newly filled store still merges the index of visits. */
const SETTLE_SECONDS = 12;

/** Fills a store of each size once. In every round, starts a server on each of the stores and measures it. */
export async function measureGrowth(options: Options, report: (result: GrowthResult) => void): Promise<void> {
  const folder = temporaryFolder();
  try {
    const stores: Filled[] = [];
    for (const count of options.growth) stores.push(await fill(folder.path, count));
    for (let round = 1; round <= options.rounds; round++) {
      for (const store of round % 2 === 1 ? stores : stores.toReversed()) {
        report(await measureStore(store, round, options, folder.path));
      }
    }
  } finally {
    folder.remove();
  }
}

/** Creates `count` recognized sessions with random ids. This runs in a process of its own, which may use both cores. */
async function fill(folder: string, count: number): Promise<Filled> {
  const dataDir = join(folder, `data-${count}`);
  const file = join(folder, `ids-${count}.txt`);
  const filler = await start(runtime("bun"), [join(import.meta.dirname, "fill.ts"), String(count), file], {
    cores: [SERVER_CORE, LOAD_CORE],
    env: { ...IDLE, ANTECHAMBER_DATA_DIR: dataDir },
    ready: /filled with (\d+)/,
    patienceMs: 3 * 3600 * 1000,
  });
  await filler.close();
  return { count, dataDir, tickets: { file, count, width: 40 }, bytes: folderSize(dataDir) };
}

async function measureStore(
  { count, dataDir, tickets, bytes }: Filled,
  round: number,
  options: Options,
  folder: string,
): Promise<GrowthResult> {
  const running = await startAntechamber("bun", { dataDir, env: IDLE });
  try {
    const { residentMiB } = memory(tree(running.pids));
    const reads = { url: running.url, folder, request: byPath.retrieve, tickets };
    await load({ ...reads, seconds: options.warmUp + SETTLE_SECONDS });
    return {
      round,
      subject: antechamber("bun").name,
      sessions: count,
      bytesPerSession: rounded(bytes / count, 1),
      startedInMs: running.startedInMs ?? Number.NaN,
      residentMiB,
      retrieve: await measure(running, { ...reads, seconds: options.seconds }),
    };
  } finally {
    await running.close();
  }
}
