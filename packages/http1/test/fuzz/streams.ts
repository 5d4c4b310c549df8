import type { Random } from "./random.ts";

/*
 * Generates what clients send: requests of every kind, sometimes with a fault in one place. A text has one
 * character per byte.
 */

/** The action of the server's handler, which the request's field `X-Do` names. */
export const actions = [
  "now",
  "later",
  "read",
  "read-late",
  "read-little",
  "stream",
  "long",
  "cached",
  "close",
  "empty",
] as const;
export type Action = (typeof actions)[number];

/** The maximum number of bytes that the action "read-little" reads of a body. */
export const LITTLE = 8;

const methods = ["GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "PATCH", "BREW"];
const targets = ["/", "/a", "/a/b?c=d", "/?", "/a?b?c", "//a//", "/\xc3\xbc", "http://h.example/a?b"];
const otherTargets = [
  "HTTP://h.example",
  "https://h:1?x",
  "http://[::1]:/a",
  "http://h%20/a?/b",
  "/a%20b;c=d",
  "/a?http://other/",
  `/${"long".repeat(40)}`,
  `/long?${"q".repeat(20_000)}`,
];

/** The whole text of one connection: `count` requests, the last of them perhaps cut off. */
export function randomStream(random: Random, count: number): string {
  const messages = Array.from({ length: count }, (_, i) => randomMessage(random, `r${i}`));
  const text = messages.join(random.next() < 0.1 ? "\r\n" : "");
  return random.next() < 0.1 ? text.slice(0, random.between(0, text.length)) : text;
}

interface Message {
  readonly line: string;
  readonly fields: readonly string[];
  readonly body: string;
}

function randomMessage(random: Random, id: string): string {
  const minorVersion = random.next() < 0.9 ? 1 : 0;
  const method = random.pick(methods);
  const isOfServer = method === "OPTIONS" && random.next() < 0.3;
  const target = isOfServer ? "*" : random.pick(random.next() < 0.9 ? targets : otherTargets);
  const body = randomBody(random, minorVersion);
  const sound: Message = {
    line: `${method} ${target} HTTP/1.${minorVersion}`,
    fields: [
      "Host: h.example",
      `X-Id: ${id}`,
      `X-Do: ${random.pick(actions)}`,
      ...Array.from({ length: random.between(0, 4) }, () => random.pick(fields)),
      ...(random.next() < 0.03 ? random.pick(longFields) : []),
      ...body.fields,
    ],
    body: body.text,
  };
  const message = random.next() < 0.12 ? random.pick(faults)(sound, random) : sound;
  const lines = random.next() < 0.5 ? message.fields : message.fields.toReversed();
  return `${[message.line, ...lines].join("\r\n")}\r\n\r\n${message.body}`;
}

const fields = [
  "X-Empty:",
  "X-Spaced:\t  a  b \t ",
  "x-twice: one",
  "X-TWICE: two",
  "Cookie: a=1",
  "cookie: sessionId=2",
  "X-Bytes: \x80\xff~",
  "Accept: */*",
  `X-Much: ${"m".repeat(200)}`,
  "Connection: keep-alive",
  "Connection: close",
  "Connection: Keep-Alive, TE",
  "Connection: TE, Close",
  "Connection: closed",
];

const many = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}:`);

/** Fields that make a head long. Some are too long for any target except those with the higher limit. */
const longFields = [
  [`X-Much: ${"m".repeat(5_000)}`],
  [`X-Long: ${"l".repeat(15_000)}`],
  [`X-Long: ${"l".repeat(17_000)}`],
  [`X-Long: ${"l".repeat(66_000)}`],
  many(110),
  many(140),
  many(520),
];

/** A body, with the fields that announce it. */
function randomBody(random: Random, minorVersion: number): { fields: string[]; text: string } {
  const kind = random.between(0, 3);
  if (kind === 0) return { fields: [], text: "" };
  const length = random.next() < 0.02 ? random.between(60_000, 90_000) : random.between(0, 600);
  const data = randomData(random, length);
  const expectation = random.next() < 0.1 ? ["Expect: 100-Continue"] : [];
  if (kind === 1 || minorVersion === 0) {
    return { fields: [`Content-Length: ${length}`, ...expectation], text: data };
  }
  const coding = random.pick(["chunked", "Chunked"]);
  return { fields: [`Transfer-Encoding: ${coding}`, ...expectation], text: inChunks(random, data) };
}

/** Data of a body that looks like the end of a chunk or like another request. Parsers must read it as data. */
function randomData(random: Random, length: number): string {
  const seeds = ["x", "\r\n", "0\r\n\r\n", "GET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n", "\x00\xff", "5\r\n"];
  let data = "";
  while (data.length < length) data += random.pick(seeds);
  return data.slice(0, length);
}

const extensions = ["", "", "", ";a", ";a=b", " ; a = b", ';q="x;\\"y"', ";a;b=c"];
const trailers = [
  ...["", "", "", "X-Trailer: t\r\n", "A:\r\nB: c\r\n", "ETag: t\r\nIfs: \r\n"],
  "T: t\r\n".repeat(500),
];

function inChunks(random: Random, data: string): string {
  let text = "";
  for (let at = 0; at < data.length; ) {
    const length = random.next() < 0.2 ? 1 : random.between(1, 200);
    const chunk = data.slice(at, at + length);
    const zeros = random.next() < 0.1 ? "00" : "";
    text += `${zeros}${chunk.length.toString(16)}${random.pick(extensions)}\r\n${chunk}\r\n`;
    at += length;
  }
  return `${text}0${random.pick(extensions)}\r\n${random.pick(trailers)}\r\n`;
}

type Fault = (message: Message, random: Random) => Message;

const withFields =
  (...lines: string[]): Fault =>
  (message) => ({ ...message, fields: [...message.fields, ...lines] });

const inLine =
  (part: string, other: string): Fault =>
  (message) => ({ ...message, line: message.line.replace(part, other) });

const inBody =
  (part: string, other: string): Fault =>
  (message) => ({ ...message, body: message.body.replace(part, other) });

const withSpoiledBody: Fault = (message, random) => ({
  ...message,
  body: spoil(random, message.body),
});

/** Texts with one fault each. No strict server may accept them as a request or a body. */
const faults: readonly Fault[] = [
  withFields("Host: other.example"),
  (message) => ({ ...message, fields: message.fields.slice(1) }),
  withFields("Name : value"),
  withFields(" folded"),
  withFields("No colon"),
  withFields("X-Nul: a\x00b"),
  withFields("X-Del: a\x7fb"),
  withFields("X-Line: a\nX-Other: b"),
  withFields("X-Return: a\rb"),
  withFields("Content-Length: 1", "Content-Length: 2"),
  withFields("Content-Length: 1", "Transfer-Encoding: chunked"),
  withFields("Content-Length: +1"),
  withFields("Content-Length: 1, 1"),
  withFields("Transfer-Encoding: gzip"),
  withFields("Transfer-Encoding: xchunked"),
  withFields("Expect: the-unexpected"),
  (message) => ({ ...message, line: message.line.replace(/^\w+/, "CONNECT") }),
  (message) => ({ ...message, line: message.line.replace(/^\w+ \S+/, "CONNECT h:1") }),
  (message) => ({ ...message, line: message.line.replace(/^\w+/, "M".repeat(33)) }),
  (message) => ({ ...message, line: message.line.replace(/ \S+/, " http://u@h.example/") }),
  (message) => ({ ...message, line: message.line.replace(/ \S+/, " http:///a") }),
  (message) => ({ ...message, line: message.line.replace(/ \S+/, " http://[::1/a") }),
  (message) => ({ ...message, line: message.line.replace(/ \S+/, " h:1") }),
  inLine(" ", "  "),
  inLine("HTTP", "http"),
  inLine("/1.", "/2."),
  inLine(" /", " a/"),
  (message) => ({ ...message, line: `(${message.line}` }),
  withSpoiledBody,
  withSpoiledBody,
  inBody("\r\n", "\n"),
  inBody("\r\n", ";\r\n"),
  inBody("\r\n", " \r\n"),
  inBody("\r\n", ';a="b\r\n'),
  inBody("0\r\n", "0\r\nNo trailer: x\r\n"),
  inBody("0\r\n", "0\r\nContent-Length: 1\r\n"),
  inBody("0\r\n", "0\r\nCookie: a=1\r\n"),
  inBody("0\r\n", "0\r\nIF-Match: a\r\n"),
  inBody("0\r\n", `0\r\nX-Long: ${"l".repeat(17_000)}\r\n`),
  inBody("\r\n", `;long=${"l".repeat(17_000)}\r\n`),
];

/** Changes, adds or removes one character. */
export function spoil(random: Random, text: string): string {
  if (text.length === 0) return "x";
  const at = random.between(0, text.length - 1);
  const other = random.pick(["0", "g", "\r", "\n", ";", " ", "\x00"]);
  const kind = random.between(0, 2);
  return `${text.slice(0, at)}${kind === 0 ? "" : other}${text.slice(kind === 2 ? at : at + 1)}`;
}
