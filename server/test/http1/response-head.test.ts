import assert from "node:assert/strict";
import { test } from "node:test";
import { createResponseHeads, type ResponseHead } from "../../src/http/http1/response-head.ts";
import { shared } from "../../src/http/messages.ts";

const fields = shared({ "content-type": "text/plain" });
const usual: ResponseHead = {
  status: 200,
  fields,
  contentLocation: undefined,
  framing: 5,
  isKeptAlive: true,
  isOld: false,
};

/** The lines of a head, but for the empty one. */
function linesOf(heads: ReturnType<typeof createResponseHeads>, head: Partial<ResponseHead>) {
  const out = Buffer.alloc(1000);
  const text = out.toString("latin1", heads.write({ ...usual, ...head }, out, 900), 900);
  assert.ok(text.endsWith("\r\n\r\n"));
  return text.slice(0, -4).split("\r\n");
}

function created() {
  const heads = createResponseHeads({ keepAliveSeconds: 7 });
  heads.tick(0);
  return heads;
}

const date = "date: Thu, 01 Jan 1970 00:00:00 GMT";
const first = ["HTTP/1.1 200 OK", "content-type: text/plain"];

test("a head has the fields, the connection's fate, the date and the length", () => {
  const heads = created();
  const expected = [...first, "keep-alive: timeout=7", date];
  assert.deepEqual(linesOf(heads, {}), [...expected, "content-length: 5"]);
  const located = linesOf(heads, { contentLocation: "/sessions/x", framing: 2000 });
  assert.deepEqual(located, [...expected, "content-location: /sessions/x", "content-length: 2000"]);
  assert.deepEqual(linesOf(heads, { framing: "chunks" }).at(-1), "transfer-encoding: chunked");
  assert.deepEqual(linesOf(heads, { framing: "none" }), expected);
});

test("a connection that closes, and one to an old client that does not, are told of", () => {
  const heads = created();
  linesOf(heads, {});
  assert.deepEqual(linesOf(heads, { isKeptAlive: false }), [
    ...first,
    "connection: close",
    date,
    "content-length: 5",
  ]);
  const old = linesOf(heads, { isOld: true });
  assert.ok(old.includes("connection: keep-alive"));
});

test("the date goes with the time", () => {
  const heads = created();
  linesOf(heads, {});
  heads.tick(1000);
  assert.ok(linesOf(heads, {}).includes("date: Thu, 01 Jan 1970 00:00:01 GMT"));
});

test("other fields, and another status, are not taken for the usual", () => {
  const heads = created();
  linesOf(heads, {});
  const other = linesOf(heads, { fields: { "x-y": "z" }, status: 404 });
  assert.deepEqual(other.slice(0, 2), ["HTTP/1.1 404 Not Found", "x-y: z"]);
});

test("what belongs to the connection is the server's own to say", () => {
  const given = { connection: "close", "content-length": "3", "keep-alive": "x", "x-y": "z" };
  const lines = linesOf(created(), { fields: given });
  assert.deepEqual(lines.slice(1), ["x-y: z", "keep-alive: timeout=7", date, "content-length: 5"]);
});

test("no field breaks out of its line", () => {
  for (const value of ["a\r\nb: c", "a\nb", "a\0", "\u0100"]) {
    assert.throws(() => linesOf(created(), { fields: { "x-y": value } }), TypeError);
  }
});

test("a head that is longer than its room is an error", () => {
  assert.throws(() => linesOf(created(), { fields: { x: "y".repeat(900) } }), RangeError);
});
