// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import type { StatisticsInfo } from "@antechamber/client/protocol";
import { charactersOf, sparkline } from "../../src/cli/sparkline.ts";
import { statisticsCommand, type Terminal } from "../../src/cli/statistics.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { runHere, succeed } from "../support/command-line.ts";
import { serve } from "../support/in-process.ts";

/** Runs the command as on this terminal, and returns what it prints. */
async function shown(args: readonly string[], terminal: Partial<Terminal>): Promise<string> {
  const printed: string[] = [];
  const print = (text: string) => printed.push(text);
  const output = { print, printJson() {}, remark() {}, isColoured: false };
  const whole = { isTerminal: true, columns: 100, env: { LANG: "en_GB.UTF-8" }, ...terminal };
  const command = statisticsCommand(output, () => whole).exitOverride();
  await command.parseAsync([...args], { from: "user" });
  return printed.join("\n");
}

test("statistics are shown with charts on a terminal, plain elsewhere, and as JSON", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const { sessionId } = sessionOf(await api.create({ headers: { gkc_customerId: "c" } }));
  const record = { method: "GET", path: "/", service: "shop", status: 200, durationMs: 12 };
  await api.call("POST", `/sessions/${sessionId}/requests?durable=true`, { json: [record, record] });
  const data = ["--data-dir", server.dataDir];

  const plain = await succeed(["stats", ...data]);
  assert.match(plain, /^\d{4}-\d\d-\d\d \d\d:\d\d to .* UTC, 1 min a step$/m);
  assert.match(plain, /^live +1 +1 +1$/m);
  assert.match(plain, /^created +[\d.]+ +\d+$/m);
  assert.match(plain, /^shop +[\d.]+ +2 +1\d ms +1\d ms +1\d ms$/m);
  assert.match(plain, /^2xx +[\d.]+ +2$/m);
  assert.match(plain, /^create +[\d.]+ +0( +[\d.]+ m?s){3}$/m);
  assert.ok(!/[▁-█]/u.test(plain), "no charts without a terminal");

  const wide = await shown(data, { columns: 120 });
  assert.match(wide, /^created .* [▁-█]+$/mu);
  const narrow = await shown(data, { columns: 64 });
  for (const [report, width] of [[wide, 120] as const, [narrow, 64] as const]) {
    for (const line of report.split("\n")) assert.ok(line.length <= width, line);
  }
  assert.match(narrow, /^created .* [▁-█]+$/mu);
  const ascii = await shown(data, { env: { LANG: "C" } });
  assert.match(ascii, /^created .* [_.=+*#%-]+$/m);
  assert.ok(/^[\n -~]*$/.test(ascii));

  const info = JSON.parse(
    await succeed(["stats", "--json", "--since", "2h", "--step", "30m", ...data]),
  ) as StatisticsInfo;
  assert.equal(info.step, 1800);
  assert.ok(info.times.length === 4 || info.times.length === 5);
  assert.equal(
    info.records.byService["shop"]?.reduce<number>((sum, count) => sum + (count ?? 0), 0),
    2,
  );
});

test("an invalid range is refused, and so is --watch without a terminal", async () => {
  await using server = await serve();
  const refused = async (...args: string[]) => {
    const { code, stderr } = await runHere(["stats", "--data-dir", server.dataDir, ...args]);
    assert.equal(code, 2, stderr);
    return stderr;
  };
  assert.match(await refused("--since", "30d"), /longer than 14 days/);
  assert.match(await refused("--since", "yesterday"), /a duration before now, such as 6h or 14d, or a time, such as/);
  assert.match(await refused("--step", "90s"), /whole minutes/);
  assert.match(await refused("--since", "2d", "--step", "1m"), /more than 2000 steps/);
  assert.match(await refused("--until", "2020-01-01", "--since", "1h"), /since is not before until/);
  assert.match(await refused("--since", "1h", "--until", "2h"), /since is not before until/);
  assert.match(await refused("--watch"), /--watch needs a terminal/);
});

test("a chart has a character for each step, or for several, with gaps where there is no value", () => {
  assert.equal(sparkline([0, 1, 2, 4, 8, null, 8], 20, "unicode"), "▁▂▃▅█ █");
  assert.equal(sparkline([0, 0, 10, 10, null, null], 3, "ascii"), "_% ");
  assert.equal(sparkline([null, 0], 20, "unicode"), " ▁");
  assert.equal(sparkline([], 20, "unicode"), "");
  const forms = [
    { LC_ALL: "C", LANG: "de_DE.UTF-8" },
    { LANG: "de_DE.utf8" },
    { LANG: "de_DE.UTF-8", TERM: "linux" },
    {},
  ];
  assert.deepEqual(forms.map(charactersOf), ["ascii", "unicode", "ascii", "ascii"]);
});
