import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { encodeAscii, encodeCommand, ReplyError, ReplyParser } from "../../../src/store/redis/connection/resp.ts";
import { SLOTS, slotOf } from "../../../src/store/redis/connection/slots.ts";
import { sized } from "../../support/tier.ts";

const RUNS = sized(100, 300, 20_000);

/** Parses bytes that arrive in these pieces. Returns the replies. */
function parse(pieces: readonly Buffer[]): unknown[] {
  const replies: unknown[] = [];
  const parser = new ReplyParser((reply) => replies.push(reply));
  for (const piece of pieces) parser.push(piece);
  return replies;
}

/** Encodes a value as Redis does. */
function encodeReply(value: unknown): Buffer {
  if (value === null) return Buffer.from("$-1\r\n");
  if (typeof value === "number") return Buffer.from(`:${value}\r\n`);
  if (value instanceof ReplyError) return Buffer.from(`-${value.text}\r\n`);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from(`*${value.length}\r\n`), ...value.map(encodeReply)]);
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]);
}

const samples: unknown[] = [
  ...["", "a", "line\r\nbreak", "Zoë 🙂 \u0000", "x".repeat(70_000)],
  ...[0, -1, 1_795_428_000_000, null, new ReplyError("MOVED 1 127.0.0.1:7000"), [], [[], [null, ["é", 7]]]],
];

test("replies are the same however their bytes are divided", () => {
  for (const sample of samples) {
    const bytes = Buffer.concat([encodeReply(sample), Buffer.from("+OK\r\n")]);
    const step = Math.max(1, Math.floor(bytes.length / 200));
    for (let cut = 0; cut <= bytes.length; cut += step) {
      assert.deepEqual(parse([bytes.subarray(0, cut), bytes.subarray(cut)]), [sample, "OK"]);
    }
  }
  const all = Buffer.concat(samples.map(encodeReply));
  assert.deepEqual(parse([all]), samples);
  assert.deepEqual(parse([...all].map((byte) => Buffer.of(byte))), samples);
});

const replies = fc.letrec((of) => ({
  reply: fc.oneof(
    { depthSize: "small" },
    fc.string({ unit: "grapheme" }),
    fc.maxSafeInteger().map((value) => value || 0),
    fc.constant(null),
    fc.stringMatching(/^[A-Z]{2,9} \w*$/).map((text) => new ReplyError(text)),
    fc.array(of("reply"), { maxLength: 4 }),
  ),
})).reply;

test("any replies in any pieces are parsed", () => {
  const property = fc.property(fc.array(replies), fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (sent, sizes) => {
    const bytes = Buffer.concat(sent.map(encodeReply));
    const pieces: Buffer[] = [];
    for (let start = 0; start < bytes.length; ) {
      const size = sizes.next().value as number;
      pieces.push(bytes.subarray(start, start + size));
      start += size;
    }
    assert.deepEqual(parse(pieces), sent);
  });
  fc.assert(property, { numRuns: RUNS });
});

test("bytes that do not follow the protocol are an error, and neither hang nor crash the parser", () => {
  for (const text of [
    ...["HTTP/1.1 400 Bad Request\r\n", "\r\n", "$x\r\n", "$-2\r\n", "$--1\r\n", "$\r\n", ":\r\n", ":-\r\n", ": 1\r\n"],
    ...[
      "$1\nab",
      "$1\r\nabc\r\n",
      "$1\r\na\rx",
      "+OK\rx",
      ":1.5\r\n",
      "*-2\r\n",
      "*1\r\n_\r\n",
      "%1\r\n",
      "\u0015\u0003\u0001",
    ],
    ...["$536870913\r\n", "*99999999999\r\n", `:${"1".repeat(21)}`, `:${"1".repeat(21)}\r\n`, `+${"x".repeat(70_000)}`],
    "*1\r\n".repeat(33),
  ]) {
    assert.throws(() => parse([Buffer.from(text)]), /does not follow the protocol/, JSON.stringify(text));
  }
  const hostile = fc.array(fc.constantFrom(...Array.from("$*:+-\r\n0123459a\u00ff"), "\r\n"), { maxLength: 30 });
  const property = fc.property(hostile, (words) => {
    const bytes = Buffer.from(words.join(""), "latin1");
    const outcomes = [[bytes], [...bytes].map((byte) => Buffer.of(byte))].map((pieces) => {
      const found: unknown[] = [];
      const parser = new ReplyParser((reply) => found.push(reply));
      try {
        for (const piece of pieces) parser.push(piece);
      } catch (error) {
        assert.match(String(error), /does not follow the protocol/);
      }
      return found;
    });
    assert.deepEqual(outcomes[1], outcomes[0]);
  });
  fc.assert(property, { numRuns: RUNS });
});

test("a long reply in small pieces takes time in proportion to its length", () => {
  const elements = Array.from({ length: 100_000 }, (_, i) => `element ${i}`);
  const bytes = encodeReply([elements, "x".repeat(2_000_000)]);
  const pieces: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += 500) pieces.push(bytes.subarray(start, start + 500));
  const started = performance.now();
  assert.deepEqual(parse(pieces), [[elements, "x".repeat(2_000_000)]]);
  assert.ok(performance.now() - started < 2000);
});

test("commands are encoded by their bytes", () => {
  assert.equal(encodeCommand(["set", "é", ""]), "*3\r\n$3\r\nset\r\n$2\r\né\r\n$0\r\n\r\n");
  for (const words of [["get"], ["set", "", "a\r\n"], ["mget", "x".repeat(511), "y".repeat(512), "z".repeat(70_000)]]) {
    assert.equal(encodeAscii(words), encodeCommand(words));
    assert.deepEqual(parse([Buffer.from(encodeAscii(words))]), [words]);
  }
  // Half of a surrogate pair is sent as the replacement character, with the right length.
  assert.deepEqual(parse([Buffer.from(encodeCommand(["\ud800", "a"]))]), [["\ufffd", "a"]]);
});

test("slots are those of the specification", () => {
  assert.equal(slotOf("123456789"), 0x31c3 % SLOTS);
  assert.equal(slotOf("foo"), 12_182);
  assert.equal(slotOf("a{foo}b{bar}"), slotOf("foo"));
  assert.equal(slotOf("{}foo"), 9500);
  assert.equal(slotOf("foo{{bar}}zap"), slotOf("{bar"));
  assert.equal(slotOf("Zoë🙂"), 3420);
});
