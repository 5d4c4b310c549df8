// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestEntry, TimelineEntry } from "@antechamber/client/protocol";
import { createProgram } from "../../src/cli/program.ts";
import { handleOf } from "../../src/session/id.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { succeed } from "../support/command-line.ts";
import { serve } from "../support/in-process.ts";

const startedAt = "2026-11-23T10:00:00.000Z";
/** A text with characters that control a terminal: of C0, C1 (CSI) and Unicode, also outside of the basic plane. */
const ORDER = "17\n\u009B\u2028\u202E\u{E0001}";
/** Matches such characters, except line breaks. */
const CONTROLS = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}]/u;

test("a timeline is shown line by line, in colours only on a terminal, or as JSON", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const { sessionId } = sessionOf(await api.create({ json: { visitId: "v\u202E1" } }));
  const handle = handleOf(sessionId);
  const requests = [
    { method: "GET", path: "/cart", status: 200, durationMs: 12.5, service: "shop", startedAt },
    { method: "POST", path: "/orders", status: 503, startedAt, attributes: { order: ORDER } },
    { method: "GET", path: "/", startedAt },
  ];
  const path = `/sessions/${sessionId}/requests?durable=true`;
  assert.equal((await api.call("POST", path, { json: requests })).status, 202);
  sessionOf(await api.update(sessionId, { headers: { gkc_customerId: "müller" } }));
  const args = ["sessions", "timeline", handle, "--data-dir", server.dataDir];
  const lines = (text: string) =>
    text
      .trimEnd()
      .replaceAll(/\d{4}-[\d:.T-]+Z/g, "<time>")
      .split("\n");
  const expected = [
    `Session ${handle}: 3 requests.`,
    "<time>  created       visitId v\uFFFD1",
    "<time>  GET 200       /cart  12.5 ms  shop",
    `<time>  POST 503      /orders  order=17${"\uFFFD".repeat(5)}`,
    "<time>  GET -         /",
    "<time>  associated    customerId müller",
  ];
  assert.deepEqual(lines(await succeed(args)), expected);

  const printed: string[] = [];
  const output = { print: (text: string) => printed.push(text), printJson() {}, remark() {}, isColoured: true };
  await createProgram(output).parseAsync(args, { from: "user" });
  const text = printed.join("\n");
  for (const [code, what] of [
    [36, "created"],
    [32, "GET 200"],
    [31, "POST 503"],
  ]) {
    assert.ok(text.includes(`\u001B[${code}m${what}`), String(what));
  }
  assert.deepEqual(lines(text.replaceAll(/\p{Cc}\[\d+m/gu, "")), expected);

  const entries = (await succeed([...args, "--json"])).trimEnd().split("\n");
  assert.deepEqual(
    entries.map((line) => (JSON.parse(line) as TimelineEntry).type),
    ["created", "request", "request", "request", "associated"],
  );
  assert.equal((JSON.parse(entries[2] ?? "") as RequestEntry).attributes["order"], ORDER);
  const exported = await succeed(["customers", "export", "müller", "--data-dir", server.dataDir]);
  assert.ok(exported.includes("\\u009b"));
  for (const json of [...entries, exported]) assert.doesNotMatch(json, CONTROLS);
});

test("a timeline of several pages is shown whole", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const { sessionId } = sessionOf(await api.create());
  const json = Array.from({ length: 900 }, (_, i) => ({ method: "GET", path: `/${i}` }));
  for (let i = 0; i < 2; i++) {
    assert.equal((await api.call("POST", `/sessions/${sessionId}/requests?durable=true`, { json })).status, 202);
  }
  const args = ["sessions", "timeline", handleOf(sessionId), "--data-dir", server.dataDir];
  const lines = (await succeed(args)).trimEnd().split("\n");
  assert.equal(lines.length, 1 + 1 + 1800);
  assert.match(lines[0] ?? "", /: 1800 requests\.$/);
});
