// runs: faults

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { StatisticsInfo } from "@antechamber/client/protocol";
import { createApi, sessionOf } from "../support/api.ts";
import { until } from "../support/eventually.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";

/** How long (ms) a process may take to store what it has counted; it does so every 10 s. */
const STORED_WITHIN_MS = 20_000;

async function sumOf(url: string): Promise<{ created: number; live: number | null | undefined }> {
  const { text } = await createApi(url).call("GET", "/stats");
  const { created, live } = (JSON.parse(text) as StatisticsInfo).sessions;
  return { created: created.reduce<number>((sum, count) => sum + (count ?? 0), 0), live: live.at(-1) };
}

if (long) {
  test("a server that is killed loses no more than ten seconds of statistics, and its live sessions are counted right", async () => {
    await using directory = temporaryDirectory();
    const dataDir = directory.path;
    await using first = await startServer({ dataDir });
    for (let i = 0; i < 5; i++) {
      sessionOf(await createApi(first.url).create({ headers: { gkc_customerId: `c${i}` } }));
    }
    await until(
      "the counts are stored",
      () => {
        using database = new DatabaseSync(`${dataDir}/antechamber.db`, { readOnly: true });
        const rows = database.prepare("SELECT sum(counts ->> '$.created') AS created FROM statistics").get();
        return rows?.["created"] === 5;
      },
      STORED_WITHIN_MS,
    );
    sessionOf(await createApi(first.url).create({ headers: { gkc_customerId: "kept" } }));
    await first.kill("SIGKILL");
    await using second = await startServer({ dataDir });
    const { created, live } = await sumOf(second.url);
    assert.ok(created === 5 || created === 6, `${created} are counted`);
    assert.equal(live, 6);
    await second.kill("SIGTERM");
    await using third = await startServer({ dataDir });
    assert.deepEqual(await sumOf(third.url), { created, live: 6 });
  });
}
