import { randomBytes } from "node:crypto";
import type { Random } from "./random.ts";

const CREATE = "PUT /sessions/new HTTP/1.1\r\nHost: 127.0.0.1\r\n";
const JSON_BODY = "Content-Type: application/json\r\n";

/** Requests with one fault each. The names describe the faults. */
export const malformed: Readonly<Record<string, string>> = {
  "no request at all": "\r\n\r\n\r\n\r\n",
  "half a request line": "PUT /sess",
  "a request line without a version": "PUT /sessions/new\r\n\r\n",
  "another protocol's version": "PUT /sessions/new HTTP/7.3\r\nHost: 127.0.0.1\r\n\r\n",
  "another protocol": "SSH-2.0-OpenSSH_9.2\r\n",
  "a TLS handshake": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  "a method of junk": "\x01\x02\x03 /sessions/new HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
  "a path of junk": "GET /sessions/\xff\xfe\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
  "a path of broken escapes": "GET /sessions/%zz%c3%28%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
  "a path that is no path": "GET ../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
  "an endless path": `GET /sessions/${"a".repeat(100_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
  "a huge header": `${CREATE}X-Huge: ${"a".repeat(1_000_000)}\r\n\r\n`,
  "ten thousand headers": `${CREATE}${"X-Many: 1\r\n".repeat(10_000)}\r\n`,
  "a header without a colon": `${CREATE}nonsense\r\n\r\n`,
  "a header of junk": `${CREATE}gkc_customerId: \x00\x01\x7f\xff\r\n\r\n`,
  "a folded header": `${CREATE}gkc_customerId: a\r\n b\r\n\r\n`,
  "a lone line feed": "PUT /sessions/new HTTP/1.1\nHost: 127.0.0.1\n\n",
  "no host": "PUT /sessions/new HTTP/1.1\r\n\r\n",
  "two hosts": `${CREATE}Host: example.com\r\n\r\n`,
  "two lengths": `${CREATE}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
  "a length and chunks": `${CREATE}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  "a negative length": `${CREATE}Content-Length: -1\r\n\r\n{}`,
  "a length of words": `${CREATE}Content-Length: two\r\n\r\n{}`,
  "a length beyond all numbers": `${CREATE}Content-Length: ${"9".repeat(40)}\r\n\r\n{}`,
  "a length that is not kept": `${CREATE}${JSON_BODY}Content-Length: 100\r\n\r\n{"visitId":`,
  "an unknown coding": `${CREATE}Transfer-Encoding: shrunk\r\n\r\n{}`,
  "a chunk of no size": `${CREATE}${JSON_BODY}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  "a negative chunk": `${CREATE}${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n`,
  "a chunk beyond all sizes": `${CREATE}${JSON_BODY}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}`,
  "a chunk longer than its size": `${CREATE}${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n1\r\n{}{}{}\r\n0\r\n\r\n`,
  "a chunk's endless extension": `${CREATE}${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n2;${"x".repeat(200_000)}\r\n{}\r\n0\r\n\r\n`,
  "a body of junk": `${CREATE}${JSON_BODY}Content-Length: 4\r\n\r\n\x00\xff\xfe{`,
  "a body nested without end": `${CREATE}${JSON_BODY}Content-Length: 16000\r\n\r\n${"[".repeat(16_000)}`,
};

/** Returns a valid request with a few of its bytes changed, doubled or left out. */
export function mutated(random: Random): Buffer {
  const body = '{"visitId":"v","globalVisitId":"g"}';
  const bytes = [
    ...Buffer.from(`${CREATE}gkc_customerId: c\r\n${JSON_BODY}Content-Length: ${body.length}\r\n\r\n${body}`),
  ];
  for (let i = random.between(1, 5); i > 0; i--) {
    const place = random.between(0, bytes.length - 1);
    const change = random.pick(["replace", "insert", "remove"]);
    bytes.splice(
      place,
      change === "insert" ? 0 : random.between(1, 4),
      ...(change === "remove" ? [] : [random.between(0, 255)]),
    );
  }
  return Buffer.from(bytes);
}

/** Returns random bytes. */
export function noise(random: Random): Buffer {
  return Buffer.from(Array.from({ length: random.between(1, 2000) }, () => random.between(0, 255)));
}

/** Yields a request's header that announces a chunked body, and then `bytes` bytes of body in all. */
export function* chunkedBody(bytes: number): Generator<Uint8Array | string> {
  yield `${CREATE}${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n`;
  const chunk = Buffer.concat([Buffer.from("10000\r\n"), randomBytes(65_536), Buffer.from("\r\n")]);
  for (let sent = 0; sent < bytes; sent += 65_536) yield chunk;
  yield "0\r\n\r\n";
}
