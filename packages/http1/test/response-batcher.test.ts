import assert from "node:assert/strict";
import { test } from "node:test";
import { type BatchedSender, MAX_BATCHED, ResponseBatcher } from "../src/response-batcher.ts";

/** Creates a batcher for which `endTurn` ends a turn of the event loop. `isBusy`: it batches from the start. */
function open({ isBusy = true } = {}) {
  const turns: (() => void)[] = [];
  const sent: string[] = [];
  const batcher = new ResponseBatcher((flush) => void turns.push(flush));
  const sender = (name: string, then = () => {}): BatchedSender => ({
    flush(bytes, start, end) {
      sent.push(`${name} ${bytes.toString("latin1", start, end)}`);
      then();
    },
    failed: (error) => void sent.push(`${name} ${String(error)}`),
  });
  const put = (to: BatchedSender, text: string) => {
    const bytes = Buffer.from(`__${text}__`, "latin1");
    batcher.send(to, bytes, 2, 2 + text.length);
    bytes.fill("?");
  };
  const endTurn = () => {
    for (const flush of turns.splice(0)) flush();
  };
  if (isBusy) {
    for (let i = 0; i < 100; i++) put(sender("earlier"), "");
    endTurn();
    sent.length = 0;
  }
  return { turns, sent, sender, put, endTurn, batcher };
}

test("few responses are sent at once", () => {
  const { turns, sent, sender, put, endTurn } = open({ isBusy: false });
  for (let i = 0; i < 1000; i++) {
    put(sender("a"), String(i));
    if (i % 5 === 4) endTurn();
    // The batcher sometimes batches a turn of the event loop, to find out whether turns have more responses by now.
    assert.ok(sent.length >= i - 4);
  }
  endTurn();
  assert.deepEqual(
    sent,
    Array.from({ length: 1000 }, (_, i) => `a ${i}`),
  );
  put(sender("b"), "");
  assert.equal(turns.length, 0);
});

test("responses are sent at once again when there are few again", () => {
  const { sent, sender, put, endTurn } = open();
  put(sender("a"), "last that waits");
  endTurn();
  put(sender("b"), "at once");
  assert.deepEqual(sent, ["a last that waits", "b at once"]);
});

test("responses are sent at the end of the turn, in their order, each by its sender", () => {
  const { turns, sent, sender, put, endTurn } = open();
  put(sender("a"), "one");
  put(sender("b"), "");
  put(sender("a"), "three");
  assert.deepEqual(sent, []);
  assert.equal(turns.length, 1);
  endTurn();
  assert.deepEqual(sent, ["a one", "b ", "a three"]);
});

test("no response waits for more than 31 others, even of the maximum length", () => {
  const { sent, sender, put, endTurn } = open();
  const text = "x".repeat(MAX_BATCHED);
  for (let i = 0; i < 31; i++) put(sender(String(i)), text);
  assert.equal(sent.length, 0);
  put(sender("31"), text);
  assert.equal(sent.length, 32);
  put(sender("32"), text);
  endTurn();
  assert.deepEqual(
    sent,
    Array.from({ length: 33 }, (_, i) => `${i} ${text}`),
  );
});

test("a response that is given while a full batch is sent is sent at once", () => {
  const { sent, sender, put, endTurn } = open();
  const next = sender("next");
  for (let i = 0; i < 31; i++) {
    put(
      sender("first", () => put(next, String(i))),
      String(i),
    );
  }
  assert.equal(sent.length, 0);
  put(sender("last"), "");
  assert.equal(sent.length, 63);
  assert.deepEqual(sent.slice(0, 3), ["first 0", "next 0", "first 1"]);
  endTurn();
  assert.equal(sent.length, 63);
  put(sender("later"), "waits");
  assert.equal(sent.length, 63);
});

test("a sender may send its next response while its previous one is flushed", () => {
  const { sent, sender, put, endTurn } = open();
  const second = sender("second");
  for (let i = 0; i < 31; i++) {
    put(
      sender("first", () => put(second, String(i))),
      String(i),
    );
  }
  endTurn();
  assert.equal(sent.length, 31);
  assert.ok(sent.every((text, i) => text === `first ${i}`));
  endTurn();
  assert.deepEqual(
    sent.slice(31),
    Array.from({ length: 31 }, (_, i) => `second ${i}`),
  );
});

test("responses that are caused by flushing do not change others of the batch", () => {
  const { sent, sender, put, endTurn } = open();
  const late = sender("late");
  const many = () => {
    for (let i = 0; i < 100; i++) put(late, String(i));
  };
  put(sender("first", many), "");
  put(sender("last"), "whole");
  endTurn();
  endTurn();
  assert.deepEqual(
    sent.filter((text) => text.startsWith("late")),
    Array.from({ length: 100 }, (_, i) => `late ${i}`),
  );
  assert.ok(sent.includes("last whole"));
});

test("a response that cannot be sent does not affect others", () => {
  const { sent, sender, put, endTurn } = open();
  put(sender("a"), "one");
  put(
    sender("b", () => {
      throw new Error("broken");
    }),
    "two",
  );
  put(sender("c"), "three");
  endTurn();
  assert.deepEqual(sent, ["a one", "b two", "b Error: broken", "c three"]);
  put(sender("d"), "four");
  endTurn();
  assert.equal(sent.at(-1), "d four");
});

test("a response that fills the batch is not overwritten by those that flushing causes", () => {
  const { sent, sender, endTurn, batcher } = open();
  // Like the responses of a server, all are assembled in the same memory.
  const shared = Buffer.alloc(8);
  const respond = (to: BatchedSender, text: string) => {
    const length = shared.write(text, "latin1");
    batcher.send(to, shared, 0, length);
  };
  for (let i = 0; i < 200; i++) {
    const name = `${i}`.padStart(3, "0");
    respond(
      sender(name, () => respond(sender(`+${name}`), `+${name}`)),
      name,
    );
  }
  for (let i = 0; i < 10; i++) endTurn();
  assert.equal(sent.length, 400);
  for (const text of sent) {
    const [name, got] = text.split(" ");
    assert.equal(got, name);
  }
});
