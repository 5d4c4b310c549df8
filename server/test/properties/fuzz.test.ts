// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Problem, SessionInfo } from "@antechamber/client/protocol";
import * as fc from "fast-check";
import { serve, type TestServer } from "../support/in-process.ts";
import { exchange, openConnection, type RawResponse, requestText, utf8 } from "../support/raw-http.ts";
import { sized } from "../support/tier.ts";

const RUNS = sized(300, 300, 20_000);
const pristine = describePrototypes();

let server: TestServer;
before(async () => {
  server = await serve({
    config: {
      basePaths: [{ path: "/v1", dialect: "8.5.0" }],
      corsOrigins: ["https://shop.example"],
    },
  });
});
after(() => server[Symbol.asyncDispose]());

/** Describes everything on the prototypes that a parsed body could change. */
function describePrototypes(): string {
  return [Object.prototype, Array.prototype, String.prototype, Function.prototype]
    .map((prototype) => Reflect.ownKeys(prototype).map(String).join())
    .join("\n");
}

/** Asserts that a response has the form of contract.md, and is never a 5xx. */
function expectGoodForm(answer: RawResponse): void {
  assert.ok(answer.status >= 200 && answer.status < 500, `${answer.status} ${answer.body}`);
  if (answer.status === 200) {
    const { sessionId } = JSON.parse(answer.body) as SessionInfo;
    assert.match(sessionId, /^[\w-]{40}$/);
    return;
  }
  // If the bytes are not HTTP at all, the runtime refuses them with its own response.
  if (answer.headers.get("content-type") !== "application/problem+json") {
    assert.ok([204, 400, 431].includes(answer.status), `${answer.status} ${answer.body}`);
    return;
  }
  const problem = JSON.parse(answer.body) as Problem;
  assert.equal(problem.status, answer.status);
  if (problem.code === "invalid-request") assert.ok((problem.errors ?? []).length > 0);
}

const name = fc.oneof(
  fc.constantFrom("visitId", "globalVisitId", "__proto__", "constructor", "prototype", "toString", "sessionId"),
  fc.string({ unit: "binary", maxLength: 10 }),
);
const value = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.string({ maxLength: 20 }),
  fc.constantFrom(null, "", true, 0, -0, 1e308, "__proto__", "x".repeat(257)),
  fc.jsonValue({ maxDepth: 3 }),
);
/** Objects as JSON text, also with duplicate names, which `JSON.stringify` cannot write. */
const objects = fc.array(fc.tuple(name, value), { maxLength: 6 }).map((members) => {
  const texts = members.map(([key, member]) => `${JSON.stringify(key)}:${JSON.stringify(member)}`);
  return `{${texts.join()}}`;
});
const bodies = fc.oneof(
  objects,
  fc.json(),
  fc.tuple(objects, fc.nat(), fc.string({ unit: "binary", maxLength: 3 })).map(([text, at, junk]) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + junk + text.slice(place + 1);
  }),
  fc.string({ unit: "binary", maxLength: 100 }),
);

test(`${RUNS} odd bodies: never a 5xx, and prototypes stay unchanged`, async () => {
  await using connection = await openConnection(server.port);
  const ask = async (request: string) => {
    connection.send(request);
    return await connection.response();
  };
  const created = await ask(requestText("PUT /sessions/new"));
  const { sessionId } = JSON.parse(created.body) as SessionInfo;
  const lines = fc.constantFrom("PUT /sessions/new", `POST /sessions/${sessionId}`, "POST /sessions/x");
  await fc.assert(
    fc.asyncProperty(lines, bodies, async (line, body) => {
      const json = ["Content-Type: application/json"];
      const answer = await ask(requestText(line, json, utf8(body)));
      expectGoodForm(answer);
      assert.equal(describePrototypes(), pristine);
      assertUnderstood(answer, body.toWellFormed());
    }),
    { numRuns: RUNS },
  );
});

/** Asserts that the ids in the response to an accepted body are those that `JSON.parse` finds in the body. */
function assertUnderstood(answer: RawResponse, body: string): void {
  if (answer.status !== 200 || body.trim() === "") return;
  const parsed = JSON.parse(body) as Record<string, unknown>;
  const session = JSON.parse(answer.body) as SessionInfo;
  for (const id of ["visitId", "globalVisitId"] as const) {
    const given = Object.hasOwn(parsed, id) ? parsed[id] : null;
    if (given !== null && given !== "") assert.equal(session[id], given);
  }
}

/** Bytes that a header value may contain: all except CR, LF and NUL. */
const byte = fc.integer({ min: 1, max: 255 }).filter((code) => code !== 10 && code !== 13);
const bytes = fc.array(byte, { maxLength: 60 }).map((codes) => String.fromCharCode(...codes));
const headerName = fc.constantFrom(
  "gkc_agentId",
  "gkc-agentId",
  "gkc_customerId",
  "gkc-customerId",
  "GKC_CUSTOMERID",
  "Content-Type",
  "Authorization",
  "Origin",
  "Access-Control-Request-Method",
  "X-Request-Id",
  "Cookie",
  "Accept",
);
const headers = fc.array(
  fc.tuple(headerName, fc.oneof(bytes, fc.string({ unit: "binary", maxLength: 40 }).map(printable))),
  { maxLength: 5 },
);

/** Text as UTF-8 bytes, without bytes that would end the header. */
function printable(text: string): string {
  return utf8(text.replaceAll(/[\r\n\0]/g, ""));
}

const lines = fc.constantFrom(
  "PUT /sessions/new",
  "GET /sessions/x",
  "POST /v1/sessions/x/",
  "OPTIONS /sessions/new",
  "PATCH /sessions/x",
);

test(`${RUNS} odd headers: never a 5xx`, async () => {
  await fc.assert(
    fc.asyncProperty(lines, headers, async (line, fields) => {
      const request = requestText(
        line,
        fields.map(([field, text]) => `${field}: ${text}`),
      );
      // For bytes that no header may have, the server may close the connection without a response.
      const answer = await exchange(server.port, request).catch(() => undefined);
      if (answer !== undefined) expectGoodForm(answer);
    }),
    { numRuns: RUNS },
  );
  assert.equal((await exchange(server.port, requestText("PUT /sessions/new"))).status, 200);
});

const target = fc
  .array(fc.oneof(fc.constantFrom("/", "%", "..", ".", "sessions", "new", "v1", "%2f", "?"), bytes), {
    maxLength: 6,
  })
  .map((parts) => `/${parts.join("").replaceAll(/[\p{Cc} ]/gu, "_")}`);

test(`${RUNS} odd paths: never a 5xx`, async () => {
  const methods = fc.constantFrom("GET", "PUT", "POST", "OPTIONS", "DELETE");
  await fc.assert(
    fc.asyncProperty(methods, target, async (method, path) => {
      const answer = await exchange(server.port, requestText(`${method} ${path}`)).catch(() => undefined);
      if (answer === undefined || answer.status === 200) return;
      expectGoodForm(answer);
    }),
    { numRuns: RUNS },
  );
  assert.equal((await exchange(server.port, requestText("PUT /sessions/new"))).status, 200);
});

test("none of these requests is logged as a defect of the server", () => {
  const errors = server
    .log()
    .split("\n")
    .filter((line) => line.includes('"level":50') || line.includes('"level":60'));
  assert.deepEqual(errors, []);
});
