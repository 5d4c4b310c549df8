// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventInfo } from "@antechamber/client/protocol";
import { createProgram } from "../../src/cli/program.ts";
import { handleOf } from "../../src/session/id.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { runHere, succeed } from "../support/command-line.ts";
import { until } from "../support/eventually.ts";
import { startServer } from "../support/server-process.ts";

test("events are shown line by line, in colours only on a terminal, or as JSON", async () => {
  await using server = await startServer();
  const api = createApi(server.url);
  const headers = { gkc_customerId: "m\u00FCller" };
  const { sessionId } = sessionOf(await api.create({ headers, json: { visitId: "v\u202E1" } }));
  const handle = handleOf(sessionId);
  await api.call("DELETE", `/sessions/${sessionId}`);
  const args = ["events", "tail", "--after", "start", "--once", "--data-dir", server.dataDir];
  const lines = (text: string) =>
    text
      .trimEnd()
      .replaceAll(/\d{4}-[\d:.T-]+Z/g, "<time>")
      .split("\n");
  const who = "customerId müller  visitId v\uFFFD1";
  const expected = [
    `<time>  session.created     ${handle}  ${who}`,
    `<time>  session.ended       ${handle}  caller  ${who}`,
  ];
  assert.deepEqual(lines(await succeed(args)), expected);
  assert.deepEqual(lines(await succeed([...args, "--types", "session.ended"])), expected.slice(1));
  assert.equal(await succeed([...args, "--customer", "nobody"]), "");
  const json = await succeed([...args, "--json"]);
  assert.doesNotMatch(json, /\u202E/);
  assert.match(json, /v\\u202e1/);
  const events = json.trimEnd().split("\n");
  assert.deepEqual(
    events.map((line) => (JSON.parse(line) as EventInfo).type),
    ["session.created", "session.ended"],
  );

  const printed: string[] = [];
  const output = { print: (text: string) => printed.push(text), printJson() {}, remark() {}, isColoured: true };
  await createProgram(output).parseAsync(args, { from: "user" });
  assert.ok(printed.join("\n").includes("\u001B[32msession.created"));
  const refused = await runHere([...args, "--types", "session.begun"]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /session\.begun is no type of event/);
  const misplaced = await runHere([...args, "--after", "begin"]);
  assert.deepEqual([misplaced.code, misplaced.stdout], [2, ""]);
  assert.match(misplaced.stderr, /--after begin is not the id of an event/);
});

test("events are shown as they happen, until the server stops", async () => {
  const server = await startServer();
  const printed: string[] = [];
  const output = { print: (text: string) => printed.push(text), printJson() {}, remark() {}, isColoured: false };
  const tail = createProgram(output).parseAsync(["events", "tail", "--json", "--data-dir", server.dataDir], {
    from: "user",
  });
  const ended = assert.rejects(tail);
  const api = createApi(server.url);
  await until("an event is shown", async () => {
    await api.create({ headers: { gkc_customerId: "c" } });
    return printed.length > 0;
  });
  await server[Symbol.asyncDispose]();
  await ended;
});
