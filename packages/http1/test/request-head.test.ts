import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { INCOMPLETE } from "../src/header-section.ts";
import { MAX_HEAD, REFUSED, RequestHead } from "../src/request-head.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

/** Returns the status with which `text` is rejected. */
function refusalOf(text: string): number {
  const head = new RequestHead();
  assert.equal(head.parse(bytes(text), 0), REFUSED, JSON.stringify(text));
  assert.notEqual(head.fault.detail, "");
  return head.fault.status;
}

function accepted(text: string): RequestHead {
  const head = new RequestHead();
  assert.equal(head.parse(bytes(text), 0), text.length, head.fault.detail);
  return head;
}

const request = (...fields: string[]) => `PUT /sessions/new HTTP/1.1\r\n${["Host: h", ...fields].join("\r\n")}\r\n\r\n`;

test("a head is read to its end, and not beyond", () => {
  const head = new RequestHead();
  const text = "GET /a?b=%20 HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Spaced: \t v w \t\r\n\r\n";
  assert.equal(head.parse(bytes(`before${text}after`), 6), 6 + text.length);
  assert.equal(head.method, "GET");
  assert.equal(head.target, "/a?b=%20");
  assert.equal(head.header("x-empty"), "");
  assert.equal(head.header("x-spaced"), "v w");
  assert.equal(head.header("x-absent"), null);
});

test("fields of one name are joined, whatever their case", () => {
  const head = accepted(request("X-Id: a", "x-ID: b", "X-ID:"));
  assert.equal(head.header("x-id"), "a, b, ");
});

test("cookies in several fields are joined to one list", () => {
  const head = accepted(request("Cookie: a=b; c=d", "X: y", "cookie: e=f"));
  assert.equal(head.header("cookie"), "a=b; c=d; e=f");
});

test("values and targets keep their bytes", () => {
  const head = accepted("GET /\xc3\xbc HTTP/1.1\r\nHost: h\r\nX: \x80\xff\ty\r\n\r\n");
  assert.equal(head.target, "/\xc3\xbc");
  assert.equal(head.header("x"), "\x80\xff\ty");
});

test("the host in a target replaces the field Host", () => {
  for (const [target, host] of [
    ["http://a.example/x?y", "a.example"],
    ["HTTPS://a.example:8443?y", "a.example:8443"],
    ["http://[::1]:80/", "[::1]:80"],
    ["http://a.example", "a.example"],
    ["/http://a.example/", "h"],
  ]) {
    assert.equal(accepted(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`).header("host"), host);
  }
  const head = accepted("GET http://a.example/ HTTP/1.1\r\nHost: h\r\n\r\n");
  const next = bytes(request());
  assert.equal(head.parse(next, 0), next.length);
  assert.equal(head.header("host"), "h");
});

test("a target must have a form that fits its method", () => {
  const line = (text: string) => `${text} HTTP/1.1\r\nHost: h\r\n\r\n`;
  for (const text of ["OPTIONS *", "CONNECT a.example:443", "CONNECT [::1]:443", "TRACE /"]) {
    accepted(line(text));
  }
  for (const target of [
    ...["foo", "?", "?a", "a:443", "%2F", "*", "**", "foo://", "foo://a/", "ftp://a/", "mailto:a"],
    ...["http:", "http:/", "http://", "http:///a", "http://?a", "http://:80/", "http://u@a/"],
    ...["http://u:p@a/", "http://a:b/", "http://a:123456/", "http://a b/", "http://a\\b/"],
    ...["//a#b", "/#", "http://a/#b", "http://[::1/", "http://[a/"],
  ]) {
    assert.equal(refusalOf(line(`GET ${target}`)), 400);
  }
  assert.equal(refusalOf(line("OPTIONS foo")), 400);
  for (const target of ["/forward-auth", "*", "http://a/", "a", "a:", ":443", "u@a:443"]) {
    assert.equal(refusalOf(line(`CONNECT ${target}`)), 400);
  }
});

test("a head that arrives byte by byte is read like one that arrives at once", () => {
  const fields = ["Content-Length: 3", "X:  a b \t", "Empty:", "Cookie: a=b", "Cookie: c=d"];
  const texts = [request(...fields), "GET http://a.example/b?c HTTP/1.0\r\nX-Y: z\r\nConnection: keep-alive\r\n\r\n"];
  const head = new RequestHead();
  for (const text of [...texts, ...texts]) {
    // Only in the first piece do other bytes come before the head.
    assert.equal(head.parse(bytes(`before${text.slice(0, 10)}`), 6), INCOMPLETE);
    for (let length = 11; length < text.length; length++) {
      assert.equal(head.parse(bytes(text.slice(0, length)), 0), INCOMPLETE, text.slice(0, length));
    }
    assert.equal(head.parse(bytes(`${text}after`), 0), text.length, head.fault.detail);
    const whole = accepted(text);
    assert.deepEqual(
      [head.method, head.target, head.minorVersion, head.contentLength, head.isKeptAlive],
      [whole.method, whole.target, whole.minorVersion, whole.contentLength, whole.isKeptAlive],
    );
    for (const name of ["host", "x", "empty", "cookie", "x-y", "connection"]) {
      assert.equal(head.header(name), whole.header(name), name);
    }
  }
});

test("an invalid head is refused at the byte that shows the fault, in any pieces", () => {
  for (const [text, status] of [
    ["GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\x01", 400],
    ["GET / HTTP/1.1\r\nHost: h\r\nA: b\n", 400],
    ["GET / HTTP/1.1\r\nHost: h\r\nA ", 400],
    ["GET / HTTP/1.1\r\nHost: h\r\n\r\r", 400],
    ["GET / HTTP/1.1\r\nHost: h\r\n ", 400],
    ["GET / HTTP/1.1\r\nHost: h\r\nA: b\x7f", 400],
    ["GET / HTTP/1.1\n", 400],
    ["GET / HTTP/1.2", 505],
    ["GET /\x7f", 400],
    ["G\x00", 400],
    ["M".repeat(33), 501],
  ] as const) {
    for (const size of [1, 3, text.length]) {
      const head = new RequestHead();
      let result = INCOMPLETE;
      let length = 0;
      while (result === INCOMPLETE && length < text.length) {
        length = Math.min(text.length, length + size);
        result = head.parse(bytes(text.slice(0, length)), 0);
      }
      assert.equal(result, REFUSED, JSON.stringify(text));
      assert.equal(length, text.length);
      assert.equal(head.fault.status, status, JSON.stringify(text));
    }
  }
});

test("some targets may have a longer head, up to 64 KiB", () => {
  const isLong = (target: string) => target.startsWith("/long");
  const parse = (line: string, fields: string, size = Number.POSITIVE_INFINITY) => {
    const head = new RequestHead(isLong);
    const text = `${line} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;
    let result = INCOMPLETE;
    for (let length = 0; result === INCOMPLETE && length < text.length; ) {
      length = Math.min(text.length, length + size);
      result = head.parse(bytes(text.slice(0, length)), 0);
    }
    return result === REFUSED ? head.fault.status : result === text.length && head.target;
  };
  const longTarget = `/long?${"x".repeat(60_000)}`;
  for (const size of [1000, Number.POSITIVE_INFINITY]) {
    assert.equal(parse("GET /long", `X: ${"y".repeat(60_000)}\r\n`, size), "/long");
    assert.equal(parse("GET /long", "X: y\r\n".repeat(500), size), "/long");
    assert.equal(parse(`GET ${longTarget}`, "", size), longTarget);
    assert.equal(parse("GET /long", `X: ${"y".repeat(66_000)}\r\n`, size), 431);
    assert.equal(parse("GET /long", "X: y\r\n".repeat(513), size), 431);
    assert.equal(parse(`GET /long?${"x".repeat(66_000)}`, "", size), 414);
    assert.equal(parse("GET /other", `X: ${"y".repeat(17_000)}\r\n`, size), 431);
    assert.equal(parse("GET /other", "X: y\r\n".repeat(129), size), 431);
  }
});

test("a head with many and long fields is read if it arrives at once", () => {
  const head = new RequestHead(() => true);
  const text = `GET / HTTP/1.1\r\nHost: h\r\n${`X: ${"y".repeat(100)}\r\n`.repeat(200)}\r\n`;
  assert.equal(head.parse(bytes(text), 0), text.length);
});

test("a head contains nothing of the previous head", () => {
  const head = accepted(request("Content-Length: 5", "Connection: close", "X: y"));
  const next = bytes("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal(head.parse(next, 0), next.length);
  assert.equal(head.contentLength, 0);
  assert.equal(head.isKeptAlive, true);
  assert.equal(head.header("x"), null);
});

test("a head without its end is incomplete, wherever it is cut", () => {
  const text = request("Content-Length: 3", "Expect: 100-continue", "X-Y:  z  ");
  for (let length = 1; length < text.length; length++) {
    const result = new RequestHead().parse(bytes(text.slice(0, length)), 0);
    assert.equal(result, INCOMPLETE, JSON.stringify(text.slice(0, length)));
  }
});

test("a head says how long the body is and whether the connection is kept", () => {
  assert.equal(accepted(request("Content-Length: 17")).contentLength, 17);
  assert.equal(accepted(request("Content-Length: 0")).contentLength, 0);
  assert.equal(accepted(request("Transfer-Encoding: Chunked")).isChunked, true);
  assert.equal(accepted(request("Content-Length: 1", "Expect: 100-Continue")).expectsContinue, true);
  assert.equal(accepted(request("Expect: 100-continue")).expectsContinue, true);
  assert.equal(accepted(request()).expectsContinue, false);
  for (const [version, connection, isKeptAlive] of [
    ["1.1", "X: y", true],
    ["1.1", "Connection: close", false],
    ["1.1", "Connection: TE, Close", false],
    ["1.1", "Connection: closed", true],
    ["1.0", "X: y", false],
    ["1.0", "Connection: keep-alive", true],
    ["1.0", "Connection: close\r\nConnection: keep-alive", false],
    ["1.0", "Connection: keep-alive, close", false],
    ["1.1", "Connection: keep-alive, close", false],
  ] as const) {
    const head = accepted(`GET / HTTP/${version}\r\nHost: h\r\n${connection}\r\n\r\n`);
    assert.equal(head.isKeptAlive, isKeptAlive, `${version} ${connection}`);
  }
});

test("HTTP/1.0 needs no host", () => {
  assert.equal(accepted("GET / HTTP/1.0\r\n\r\n").minorVersion, 0);
});

const lines: Readonly<Record<string, [string, number]>> = {
  "another protocol": ["SSH-2.0-OpenSSH_9.2\r\n", 400],
  "a TLS handshake": ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  "no method": [" / HTTP/1.1\r\n", 400],
  "a method of junk": ["G\x01T / HTTP/1.1\r\n", 400],
  "no target": ["GET  HTTP/1.1\r\n", 400],
  "two spaces": ["GET  / HTTP/1.1\r\n", 400],
  "a control character in the target": ["GET /\x01 HTTP/1.1\r\n", 400],
  "no version": ["GET /\r\n", 400],
  "a version in small letters": ["GET / http/1.1\r\n", 400],
  "something after the version": ["GET / HTTP/1.1 x\r\n", 400],
  "HTTP/2": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  "HTTP/1.2": ["GET / HTTP/1.2\r\n", 505],
  "a lone line feed after the line": ["GET / HTTP/1.1\nHost: h\n\n", 400],
};
const fields: Readonly<Record<string, [string, number]>> = {
  "no colon": ["nonsense", 400],
  "no name": [": v", 400],
  "a space before the colon": ["X : v", 400],
  "a space before the name": [" X: v", 400],
  "a folded value": ["X: a\r\n b", 400],
  "a name of junk": ["X\x80: v", 400],
  "a NUL in a value": ["X: a\0b", 400],
  "a DEL in a value": ["X: a\x7fb", 400],
  "an escape in a value": ["X: \x1b[2J", 400],
  "a lone line feed": ["X: a\nY: b", 400],
  "a lone carriage return": ["X: a\rY: b", 400],
  "a second host": ["host: h", 400],
  "two lengths": ["Content-Length: 2\r\nContent-Length: 3", 400],
  "the same length twice": ["Content-Length: 2\r\ncontent-length: 2", 400],
  "two lengths in one": ["Content-Length: 2, 2", 400],
  "a length with a sign": ["Content-Length: +2", 400],
  "a negative length": ["Content-Length: -2", 400],
  "a length in hexadecimal": ["Content-Length: 0x2", 400],
  "an empty length": ["Content-Length:", 400],
  "a length with too many digits": [`Content-Length: ${"9".repeat(16)}`, 400],
  "a length and chunks": ["Content-Length: 2\r\nTransfer-Encoding: chunked", 400],
  "chunks and a length": ["Transfer-Encoding: chunked\r\nContent-Length: 2", 400],
  "chunks that are not last": ["Transfer-Encoding: chunked, identity", 400],
  "chunks twice": ["Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", 400],
  "chunks in quotes": ['Transfer-Encoding: "chunked"', 400],
  "an unknown coding": ["Transfer-Encoding: xchunked", 400],
  "a coding before the chunks": ["Transfer-Encoding: gzip, chunked", 501],
  "another expectation": ["Expect: 200-ok", 417],
  "too many fields": ["X: y\r\n".repeat(200).slice(0, -2), 431],
  "too long a field": [`X: ${"y".repeat(MAX_HEAD)}`, 431],
};

for (const [what, [text, status]] of Object.entries(lines)) {
  test(`${what} is refused with ${status}`, () => assert.equal(refusalOf(text), status));
}
for (const [what, [text, status]] of Object.entries(fields)) {
  test(`${what} is refused with ${status}`, () => assert.equal(refusalOf(request(text)), status));
}
for (const host of ["a b", "a/b", "a?b", "a#b", "a\\b", '"a"', "<a>", "\u00e4", "a\tb"]) {
  test(`the host ${JSON.stringify(host)} is refused`, () => {
    assert.equal(refusalOf(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`), 400);
  });
}
test("hosts with a port, of IPv6, and empty ones are accepted", () => {
  for (const host of ["a.example:8080", "[::1]:80", "xn--4ca.example", "a_b", ""]) {
    const text = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    assert.equal(new RequestHead().parse(Buffer.from(text), 0), text.length);
  }
});
test("an incomplete or rejected request contains nothing of the previous request", () => {
  const head = new RequestHead();
  assert.ok(head.parse(Buffer.from("HEAD / HTTP/1.0\r\n\r\n"), 0) > 0);
  assert.deepEqual([head.method, head.minorVersion], ["HEAD", 0]);
  assert.equal(head.parse(Buffer.from("BAD\0\r\n\r\n"), 0), REFUSED);
  assert.deepEqual([head.method, head.minorVersion], ["", 1]);
});
test("HTTP/1.0 with chunks, and HTTP/1.1 without a host, are refused", () => {
  assert.equal(refusalOf("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  assert.equal(refusalOf("GET / HTTP/1.1\r\n\r\n"), 400);
});
test("a target without an end is refused", () => {
  assert.equal(refusalOf(`GET /${"a".repeat(MAX_HEAD)}`), 414);
});

const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/);
const value = fc.stringMatching(/^(?:[\x21-\x7e](?:[\t\x20-\x7e]{0,20}[\x21-\x7e])?)?$/);

test("every valid head is read as it was written", () => {
  const special = ["host", "content-length", "transfer-encoding", "connection", "expect"];
  const field = fc.tuple(
    token.filter((name) => !special.includes(name.toLowerCase())),
    value,
  );
  fc.assert(
    fc.property(token, fc.array(field, { maxLength: 20 }), (method, written) => {
      const own = written.map(([name, text]) => `${name}: ${text}\r\n`);
      const head = accepted(`${method} / HTTP/1.1\r\nHost: h\r\n${own.join("")}\r\n`);
      assert.equal(head.method, method);
      for (const [name] of written) {
        const same = written.filter(([other]) => other.toLowerCase() === name.toLowerCase());
        const values = same.map(([, text]) => text).join(", ");
        assert.equal(head.header(name.toLowerCase()), values);
      }
    }),
    { numRuns: 500 },
  );
});

test("for random bytes the parser neither throws nor returns an impossible position", () => {
  const piece = fc.constantFrom("GET", " ", "/", "HTTP/1.1", "\r\n", "\n", ":", "Host: h", "\0", "é");
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (pieces) => {
      const given = bytes(pieces.join(""));
      const head = new RequestHead();
      const result = head.parse(given, 0);
      assert.ok(result <= given.length && result >= REFUSED);
      if (result > 0) assert.ok(given.toString("latin1", 0, result).endsWith("\r\n\r\n"));
    }),
    { numRuns: 2000 },
  );
});
