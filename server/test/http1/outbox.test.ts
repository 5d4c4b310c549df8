import assert from "node:assert/strict";
import { test } from "node:test";
import { type Gathered, MAX_GATHERED, Outbox } from "../../src/http/http1/outbox.ts";

/** An outbox whose turns end when the test says so, and what went out of it; it has been busy, or not. */
function open({ isBusy = true } = {}) {
  const turns: (() => void)[] = [];
  const sent: string[] = [];
  const outbox = new Outbox((flush) => void turns.push(flush));
  const sender = (name: string, then = () => {}): Gathered => ({
    flush(bytes, start, end) {
      sent.push(`${name} ${bytes.toString("latin1", start, end)}`);
      then();
    },
    failed: (error) => void sent.push(`${name} ${String(error)}`),
  });
  const put = (to: Gathered, text: string) => {
    const bytes = Buffer.from(`__${text}__`, "latin1");
    outbox.put(to, bytes, 2, 2 + text.length);
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
  return { turns, sent, sender, put, endTurn, outbox };
}

test("where there are few answers they go out at once", () => {
  const { turns, sent, sender, put, endTurn } = open({ isBusy: false });
  for (let i = 0; i < 1000; i++) {
    put(sender("a"), String(i));
    if (i % 5 === 4) endTurn();
    // To see whether there are more by now a turn is gathered now and then.
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

test("when there are few again they go out at once again", () => {
  const { sent, sender, put, endTurn } = open();
  put(sender("a"), "last that waits");
  endTurn();
  put(sender("b"), "at once");
  assert.deepEqual(sent, ["a last that waits", "b at once"]);
});

test("answers go out at the end of the turn, each to its own, in their order", () => {
  const { turns, sent, sender, put, endTurn } = open();
  put(sender("a"), "one");
  put(sender("b"), "");
  put(sender("a"), "three");
  assert.deepEqual(sent, []);
  assert.equal(turns.length, 1);
  endTurn();
  assert.deepEqual(sent, ["a one", "b ", "a three"]);
});

test("no answer waits for more than 31 others, of the longest", () => {
  const { sent, sender, put, endTurn } = open();
  const text = "x".repeat(MAX_GATHERED);
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

test("what follows from making room goes out at once: it is not to keep others going", () => {
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

test("whoever hears that an answer went out may have the next one already", () => {
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

test("an answer that follows from many, in the same turn, harms none of them", () => {
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

test("an answer is safe from those that are made while others are sent to make room for it", () => {
  const { sent, sender, endTurn, outbox } = open();
  // As answers are: put together in one place, each after the other.
  const shared = Buffer.alloc(8);
  const answer = (to: Gathered, text: string) => {
    const length = shared.write(text, "latin1");
    outbox.put(to, shared, 0, length);
  };
  for (let i = 0; i < 200; i++) {
    const name = `${i}`.padStart(3, "0");
    answer(
      sender(name, () => answer(sender(`+${name}`), `+${name}`)),
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
