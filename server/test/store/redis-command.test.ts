import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { TimedCommand } from "../../src/store/redis/connection/command.ts";

test("a command whose deadline has passed is replaced by a placeholder, and rejected whatever the reply to it", async () => {
  const late = new TimedCommand("get", ["key"], performance.now() - 1);
  const refused = assert.rejects(late.promise, /no answer in time/);
  assert.doesNotMatch(String(late.toWritable(new PassThrough())), /get|key/i);
  assert.equal(late.writes, 0);
  late.resolve("PONG");
  await refused;
});

test("a command that is written in time gets its reply", async () => {
  const command = new TimedCommand("get", ["key"], performance.now() + 60_000);
  assert.match(String(command.toWritable(new PassThrough())), /key/);
  assert.equal(command.writes, 1);
  command.resolve("value");
  assert.equal(await command.promise, "value");
});
