import assert from "node:assert/strict";
import { test } from "node:test";
import { type BodyWriter, CachedResponse } from "../src/http-types.ts";
import { type ResponseHead, ResponseHeads } from "../src/response-head.ts";

const fields = { "content-type": "text/plain" };
const usual: ResponseHead = {
  status: 200,
  fields,
  contentLocation: undefined,
  bodyEnd: 5,
  isKeptAlive: true,
  isHttp10: false,
};

/** Returns the lines of a head without the empty one. */
function linesOf(heads: ResponseHeads, head: Partial<ResponseHead>) {
  const out = Buffer.alloc(1000);
  const text = out.toString("latin1", heads.write({ ...usual, ...head }, out, 900), 900);
  assert.ok(text.endsWith("\r\n\r\n"));
  return text.slice(0, -4).split("\r\n");
}

function writable(text: string): BodyWriter {
  return { maxLength: 3 * text.length, write: (bytes, start) => start + bytes.write(text, start) };
}

function created() {
  const heads = new ResponseHeads(7);
  heads.tick(0);
  return heads;
}

const date = "date: Thu, 01 Jan 1970 00:00:00 GMT";
const kept = ["HTTP/1.1 200 OK", "keep-alive: timeout=7", date];

test("a head has the fields, the date, the length and how long the connection is kept", () => {
  const heads = created();
  const expected = [...kept, "content-type: text/plain"];
  assert.deepEqual(linesOf(heads, {}), [...expected, "content-length: 5"]);
  const located = linesOf(heads, { contentLocation: "/sessions/x", bodyEnd: 2000 });
  assert.deepEqual(located, [...expected, "content-location: /sessions/x", "content-length: 2000"]);
  assert.deepEqual(linesOf(heads, { etag: '"1"' }), [...expected, 'etag: "1"', "content-length: 5"]);
  assert.deepEqual(linesOf(heads, { bodyEnd: "chunked" }).at(-1), "transfer-encoding: chunked");
  assert.deepEqual(linesOf(heads, { bodyEnd: "none" }), expected);
});

test("a head announces that the connection is closed, and to HTTP/1.0 clients that it is kept", () => {
  const heads = created();
  linesOf(heads, {});
  assert.deepEqual(linesOf(heads, { isKeptAlive: false }), [
    "HTTP/1.1 200 OK",
    "connection: close",
    date,
    "content-type: text/plain",
    "content-length: 5",
  ]);
  const old = linesOf(heads, { isHttp10: true });
  assert.ok(old.includes("connection: keep-alive"));
});

test("the date in a head is the current one", () => {
  const heads = created();
  linesOf(heads, {});
  heads.tick(1000);
  assert.ok(linesOf(heads, {}).includes("date: Thu, 01 Jan 1970 00:00:01 GMT"));
});

test("each response has its own fields, location and entity tag, whatever the last one had", () => {
  const heads = created();
  const located = { contentLocation: "/sessions/x" };
  const others = { "content-type": "text/html" };
  const lines = [
    { ...located },
    {},
    { fields: others },
    { ...located, fields: others },
    { ...located, status: 404 },
    { ...located },
    { ...located, contentLocation: "/sessions/y", etag: '"1"' },
    { etag: '"2"' },
    {},
  ].map((head) => linesOf(heads, head).slice(3, -1));
  assert.deepEqual(lines, [
    ["content-type: text/plain", "content-location: /sessions/x"],
    ["content-type: text/plain"],
    ["content-type: text/html"],
    ["content-type: text/html", "content-location: /sessions/x"],
    ["content-type: text/plain", "content-location: /sessions/x"],
    ["content-type: text/plain", "content-location: /sessions/x"],
    ["content-type: text/plain", "content-location: /sessions/y", 'etag: "1"'],
    ["content-type: text/plain", 'etag: "2"'],
    ["content-type: text/plain"],
  ]);
});

test("other fields or another status are not mixed up with the cached head", () => {
  const heads = created();
  linesOf(heads, {});
  const other = linesOf(heads, { fields: { "x-y": "z" }, status: 404 });
  assert.deepEqual([other[0], other[3]], ["HTTP/1.1 404 Not Found", "x-y: z"]);
});

test("only the server sets the headers of the connection", () => {
  const given = { connection: "close", "content-length": "3", "keep-alive": "x", "x-y": "z" };
  const lines = linesOf(created(), { fields: given });
  assert.deepEqual(lines, [...kept, "x-y: z", "content-length: 5"]);
});

test("a value with a line break or another control character is an error", () => {
  for (const value of ["a\r\nb: c", "a\nb", "a\0", "\u0100"]) {
    assert.throws(() => linesOf(created(), { fields: { "x-y": value } }), TypeError);
  }
});

test("a head that is longer than its room is an error", () => {
  assert.throws(() => linesOf(created(), { fields: { x: "y".repeat(900) } }), RangeError);
});

test("a cached response is made once, and sent with the current date", () => {
  const heads = created();
  let made = 0;
  const response = new CachedResponse(() => {
    made++;
    return { headers: fields, contentLocation: "/sessions/x", body: writable("Grüße") };
  });
  const text = () => heads.bytes.toString("utf8", 0, heads.writeCached(response));
  const rest = "content-length: 7\r\ncontent-type: text/plain\r\ncontent-location: /sessions/x\r\n\r\nGrüße";
  assert.equal(text(), `${kept.join("\r\n")}\r\n${rest}`);
  heads.tick(1000);
  assert.equal(text(), `${kept.join("\r\n").replace("00 GMT", "01 GMT")}\r\n${rest}`);
  assert.equal(made, 1);
});

test("a cached response that is too long is not written", () => {
  const response = new CachedResponse(() => ({
    headers: fields,
    body: writable("x".repeat(20_000)),
  }));
  assert.equal(created().writeCached(response), 0);
});
