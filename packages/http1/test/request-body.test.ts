import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BodyError } from "../src/http-types.ts";
import { MALFORMED, RequestBody } from "../src/request-body.ts";
import { RequestHead } from "../src/request-head.ts";

function bodyAfter(field: string): RequestBody {
  const head = new RequestHead();
  const text = Buffer.from(`PUT / HTTP/1.1\r\nHost: h\r\n${field}\r\n\r\n`);
  assert.equal(head.parse(text, 0), text.length, head.fault.detail);
  const body = new RequestBody();
  body.begin(head);
  return body;
}

const chunked = () => bodyAfter("Transfer-Encoding: chunked");
const bytes = (text: string) => Buffer.from(text, "latin1");

/** Feeds `text` in pieces of `size` bytes; returns the body and how many bytes were read. */
async function readOf(body: RequestBody, text: string, size: number) {
  const read = body.read(1000);
  let taken = 0;
  for (let at = 0; at < text.length && !body.isComplete; at += size) {
    const end = body.feed(bytes(text.slice(at, at + size)), 0);
    assert.notEqual(end, MALFORMED, JSON.stringify(text));
    taken += end;
  }
  return { text: Buffer.from((await read) ?? []).toString("latin1"), taken };
}

test("a body ends with its length, in pieces of any size", async () => {
  for (const size of [1, 2, 3, 100]) {
    const read = await readOf(bodyAfter("Content-Length: 5"), "helloGET / ", size);
    assert.equal(read.text, "hello");
  }
});

const written =
  '5\r\nhello\r\n00a;name=value ; other = "x\\"\t\x80;"\r\n, chunked \r\n5 ;\tlast\r\nworld\r\n0\r\nX-T: t \t\r\nX:\r\n\r\n';

test("a body ends with its last chunk, in pieces of any size", async () => {
  for (let size = 1; size <= written.length; size++) {
    const read = await readOf(chunked(), written, size);
    assert.equal(read.text, "hello, chunked world", `in pieces of ${size}`);
    assert.equal(read.taken, written.length);
  }
});

test("bytes after the last chunk are not read", async () => {
  const read = await readOf(chunked(), `${written}GET / HTTP/1.1`, 1000);
  assert.equal(read.taken, written.length);
});

test("chunks of any sizes are joined to one body", async () => {
  const parts = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }), {
    maxLength: 10,
  });
  await fc.assert(
    fc.asyncProperty(parts, fc.integer({ min: 1, max: 60 }), async (chunks, size) => {
      const text = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
      const read = await readOf(chunked(), `${text}0\r\n\r\n`, size);
      assert.equal(read.text, chunks.join(""));
    }),
    { numRuns: 300 },
  );
});

const malformed: Record<string, string> = {
  "no size": "\r\n",
  "a size of junk": "zz\r\n",
  "a size with a sign": "+1\r\nx\r\n",
  "a negative size": "-1\r\nx\r\n",
  "a size in two notations": "0x1\r\nx\r\n",
  "a size with too many digits": "1000000000000\r\n",
  "a size of zeros without end": "0000000000000\r\n",
  "a size that ends with a line feed": "1\nx\r\n",
  "an extension with a line feed": "1;a\nx\r\n",
  "an extension without end": `1;${"x".repeat(20_000)}`,
  "a chunk longer than its size": "1\r\nxy\r\n",
  "a chunk that ends with a line feed": "1\r\nx\n",
  "a size in two parts": "1 2\r\nx\r\n",
  "a size with blanks without end": `1${" ".repeat(20_000)}`,
  "a trailer without a colon": "0\r\nnonsense\r\n\r\n",
  "a trailer without a name": "0\r\n: y\r\n\r\n",
  "a folded trailer": "0\r\nX: y\r\n z: a\r\n\r\n",
  "a trailer with a line feed": "0\r\nX: y\n\r\n",
  "trailers without end": `0\r\n${"X: y\r\n".repeat(5000)}`,
  "a last line that ends with two carriage returns": "0\r\n\r\r",
  "white space after a size": "1 \r\nx\r\n",
  "white space before a size": " 1\r\nx\r\n",
  "an extension without a name": "1;\r\nx\r\n",
  "an extension of white space": "1; \r\nx\r\n",
  "two semicolons": "1;;a\r\nx\r\n",
  "an extension of two words": "1;a b\r\nx\r\n",
  "an extension with white space after it": "1;a=b \r\nx\r\n",
  "an extension with no token": "1;a[\r\nx\r\n",
  "an extension with no value": "1;a=\r\nx\r\n",
  "an extension with two values": "1;a=b=c\r\nx\r\n",
  "a value that is no token": "1;a=b[c\r\nx\r\n",
  "a value beyond ASCII": "1;a=\xe4\r\nx\r\n",
  "a quoted value without an end": '1;a="b\r\nx\r\n',
  "a quoted value with its end escaped": '1;a="b\\"\r\nx\r\n',
  "a quoted value with more after it": '1;a="b"c\r\nx\r\n',
  "a quoted value with a control character": '1;a="\x7f"\r\nx\r\n',
  "an escaped control character": '1;a="\\\x01"\r\nx\r\n',
  "a trailer with white space in its name": "0\r\nX Y: z\r\n\r\n",
  "a trailer with white space after its name": "0\r\nX : z\r\n\r\n",
  "a trailer with a name beyond ASCII": "0\r\nX\xe4: z\r\n\r\n",
  "a trailer with a control character": "0\r\nX: \x7f\r\n\r\n",
};
for (const name of [
  ...["Content-Length", "transfer-encoding", "HOST", "Trailer", "TE", "Content-Type", "Connection"],
  ...["Content-Encoding", "Authorization", "Cookie", "Expect", "If-Match", "Range", "Cache-Control"],
]) {
  malformed[`the trailer ${name}`] = `0\r\n${name}: 1\r\n\r\n`;
}

for (const [what, text] of Object.entries(malformed)) {
  test(`${what} is malformed`, async () => {
    const body = chunked();
    const read = body.read(1000);
    assert.equal(body.feed(bytes(text), 0), MALFORMED);
    await assert.rejects(read, BodyError);
  });
}

test("a trailer whose name only begins like a forbidden one is ignored", async () => {
  for (const name of ["Host-Name", "Content-Length-Before", "X-Host", "I", "Hos"]) {
    const read = await readOf(chunked(), `1\r\nx\r\n0\r\n${name}: 1\r\n\r\n`, 1);
    assert.equal(read.text, "x");
  }
});

test("a body in tiny chunks takes only the memory of its bytes, and little time per turn", async () => {
  const count = 300_000;
  const text = bytes("1\r\nx\r\n".repeat(count));
  const body = chunked();
  const read = body.read(count);
  let turns = 0;
  for (let at = 0; at < text.length; turns++) {
    body.beginTurn();
    const next = body.feed(text, at);
    // At most 32 KiB of lines are read per turn; each byte of data takes five bytes of lines.
    assert.ok(next - at < 40 * 1024);
    at = next;
    assert.ok(body.allocated <= body.received + 64 * 1024);
  }
  assert.ok(turns > 40, `${turns} turns`);
  body.beginTurn();
  body.feed(bytes("0\r\n\r\n"), 0);
  assert.equal(Buffer.from((await read) ?? []).toString(), "x".repeat(count));
  assert.equal(body.allocated, 0);
});

test("large pieces of a body take few turns", async () => {
  const body = bodyAfter("Content-Length: 8000000");
  const read = body.read(8_000_000);
  const piece = Buffer.alloc(250_000, "y");
  let turns = 0;
  for (let fed = 0; fed < 32; fed++) {
    if (body.isTired) {
      body.beginTurn();
      turns++;
    }
    assert.equal(body.feed(piece, 0), piece.length);
  }
  assert.ok(turns <= 16, `${turns} turns`);
  assert.equal((await read)?.length, 8_000_000);
});

test("a body does not pin the buffers in which it arrived", async () => {
  const body = bodyAfter("Content-Length: 4");
  const received = bytes("ab");
  body.feed(received, 0);
  received.fill("?");
  body.feed(bytes("cd"), 0);
  assert.equal(Buffer.from((await body.read(10)) ?? []).toString(), "abcd");
});

test("a body that is too long is reported at once, and skipped", async () => {
  const body = bodyAfter("Content-Length: 100000");
  const read = body.read(10);
  body.feed(Buffer.alloc(11), 0);
  assert.equal(await read, undefined);
  body.feed(Buffer.alloc(99_989), 0);
  assert.equal(body.isComplete, true);
});

test("bytes that arrive before the body is read are kept", async () => {
  const body = bodyAfter("Content-Length: 4");
  body.feed(bytes("ab"), 0);
  const read = body.read(10);
  body.feed(bytes("cd"), 0);
  assert.equal(Buffer.from((await read) ?? []).toString(), "abcd");
});

test("reading an aborted body fails, whether the reading began before or after the abort", async () => {
  const body = bodyAfter("Content-Length: 4");
  const early = body.read(10);
  body.fail(new BodyError("gone"));
  await assert.rejects(early, BodyError);
  await assert.rejects(body.read(10), BodyError);
});

test("a body contains nothing of the previous body", async () => {
  const body = bodyAfter("Content-Length: 4");
  body.skip();
  body.feed(bytes("abcd"), 0);
  const head = new RequestHead();
  head.parse(bytes("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n"), 0);
  body.begin(head);
  assert.equal((await readOf(body, "ef", 1)).text, "ef");
});
