import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { SessionInfo } from "@antechamber/client/protocol";
import * as fc from "fast-check";
import { serve, type TestServer } from "../support/in-process.ts";
import { openConnection, type RawResponse, requestText } from "../support/raw-http.ts";
import { long } from "../support/tier.ts";
import { heavyJson } from "./heavy-json.ts";

const RUNS = long ? 100_000 : 2000;
/** Maximum length of a body in bytes. Bodies of request records may be 500 times as long. */
const LIMIT = 16 * 1024;
const operations = ["create", "associate", "record", "record durably"] as const;

let server: TestServer;
before(async () => {
  server = await serve({ config: { logLevel: "warn" } });
});
after(() => server[Symbol.asyncDispose]());

function lineOf(operation: (typeof operations)[number], sessionId: string): string {
  if (operation === "create") return "PUT /sessions/new";
  const session = `POST /sessions/${sessionId}`;
  if (operation === "associate") return session;
  return `${session}/requests${operation === "record" ? "" : "?durable=true"}`;
}

/** Returns whether the body is valid JSON, so that the server may accept it. */
function isJson(body: Buffer): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return true;
  } catch {
    return false;
  }
}

/** Asserts that the request succeeded, or was refused with 400 if its body is invalid. */
function checkAnswer(body: Buffer, { status, body: text }: RawResponse): void {
  assert.ok([200, 202, 400].includes(status), `${status} ${text}`);
  if (body.length > 0 && !isJson(body)) assert.equal(status, 400, text);
}

test(`${RUNS} bodies that are expensive to parse never cause a 5xx`, async () => {
  await using connection = await openConnection(server.port);
  const ask = async (line: string, body: Buffer) => {
    connection.send(requestText(line, ["Content-Type: application/json"], body.toString("latin1")));
    return await connection.response();
  };
  const newSession = async () => {
    const { body } = await ask("PUT /sessions/new", Buffer.from(""));
    return (JSON.parse(body) as SessionInfo).sessionId;
  };
  let sessionId = await newSession();
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...operations), heavyJson(LIMIT), async (operation, body) => {
      const answer = await ask(lineOf(operation, sessionId), body);
      checkAnswer(body, answer);
      const what = `${operation}: ${answer.status}`;
      const count = (seen.get(what) ?? 0) + 1;
      seen.set(what, count);
      // An id that is set never changes, so the next association needs a new session.
      if (operation === "associate" && answer.status === 200) sessionId = await newSession();
    }),
    { numRuns: RUNS },
  );
  for (const operation of operations) {
    for (const status of [operation.startsWith("record") ? 202 : 200, 400]) {
      const count = seen.get(`${operation}: ${status}`) ?? 0;
      assert.ok(count >= RUNS / 100, `${operation} was answered ${count} times with ${status}`);
    }
  }
  assert.equal(server.log(), "", "a defect to the server");
});

test("records with the deepest possible nesting are refused", async () => {
  const depth = long ? 4_000_000 : 500_000;
  const bodies = {
    "open lists": "[".repeat(2 * depth),
    lists: "[".repeat(depth) + "]".repeat(depth),
    "a list in a record": `{"method":"GET","path":"/","attributes":${"[".repeat(depth)}${"]".repeat(depth)}}`,
    "lists in a list": `[${Array.from({ length: 1000 }, () => "[".repeat(depth / 2000) + "]".repeat(depth / 2000)).join()}]`,
    objects: `${'{"a":'.repeat(depth / 4)}1${"}".repeat(depth / 4)}`,
  };
  await using connection = await openConnection(server.port);
  connection.send(requestText("PUT /sessions/new"));
  const { sessionId } = JSON.parse((await connection.response()).body) as SessionInfo;
  for (const [what, body] of Object.entries(bodies)) {
    const json = ["Content-Type: application/json"];
    connection.send(requestText(`POST /sessions/${sessionId}/requests`, json, body));
    const answer = await connection.response();
    assert.equal(answer.status, 400, `${what}: ${answer.status} ${answer.body}`);
    assert.ok(answer.body.length < 10_000, `${what}: ${answer.body.length} bytes of faults`);
  }
  assert.equal(server.log(), "", "a defect to the server");
});
