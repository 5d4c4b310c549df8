import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Problem, SessionInfo } from "@antechamber/client/protocol";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { exchange, openConnection, requestText, utf8 } from "../support/raw-http.ts";

const LIMIT = 16 * 1024;
const JSON_TYPE = { "content-type": "application/json" };

let server: TestServer;
before(async () => {
  server = await serve();
});
after(() => server[Symbol.asyncDispose]());

const api = () => createApi(server.url);
let used = 0;
const fresh = () => `visit ${++used}`;

/** Returns each fault that a refusal lists, as `place name`. */
function places(problem: Problem): string[] {
  return (problem.errors ?? []).map(({ in: place, name }) => `${place} ${name}`);
}

const malformed: Record<string, string> = {
  "a word": "hello",
  "half an object": '{"visitId":',
  "single quotes": "{'visitId':'v'}",
  "two objects": "{} {}",
  "a trailing comma": '{"visitId":"v",}',
  "a comment": '{"visitId":"v"} // c',
  NaN: '{"visitId":NaN}',
  "a raw line feed in a string": '{"visitId":"a\nb"}',
  "nothing but space": "   ",
  "a NUL": "\0",
  "deep nesting that never closes": "[".repeat(10_000),
};
const noObject: Record<string, string> = {
  null: "null",
  true: "true",
  "a number": "17",
  "a string": '"visitId"',
  "an array": '[{"visitId":"v"}]',
  "a deep array": "[".repeat(5000) + "]".repeat(5000),
};
for (const [name, body] of Object.entries({ ...malformed, ...noObject })) {
  test(`a body that is not a JSON object is refused: ${name}`, async () => {
    const { sessionId } = sessionOf(await api().create());
    for (const answer of [
      await api().create({ body, headers: JSON_TYPE }),
      await api().update(sessionId, { body, headers: { ...JSON_TYPE, gkc_customerId: "c" } }),
    ]) {
      const problem = problemOf(answer, 400, "invalid-request");
      assert.deepEqual(places(problem), ["body "]);
      assert.ok(!answer.text.includes("visitId"), "the answer repeats nothing of the body");
    }
    assert.equal(sessionOf(await api().retrieve(sessionId)).customerId, null, "nothing was applied");
  });
}

test("a body that is not UTF-8 is refused", async () => {
  for (const value of ["\xe9", "\xff", "\xed\xa0\x80", "\xc0\x80"]) {
    const request = requestText("PUT /sessions/new", ["Content-Type: application/json"], `{"visitId":"${value}"}`);
    problemOf(asAnswer(await exchange(server.port, request)), 400, "invalid-request");
  }
});

function asAnswer(raw: { status: number; body: string; headers: ReadonlyMap<string, string> }) {
  return { status: raw.status, text: raw.body, headers: raw.headers };
}

const wrong: Record<string, unknown> = {
  "a number": 7,
  true: true,
  "an object": {},
  "an array": ["v"],
  "257 characters": "x".repeat(257),
  "257 foxes": "🦊".repeat(257),
  "a control character": "a\u0000b",
  "a line feed": "a\nb",
  "a word with a space at its beginning": " a",
  "a word with a space at its end": "a ",
  "a space": " ",
  "a C1 control": "a\u0080b",
  "half a surrogate pair": "a\ud83e",
};
test("a number as an id is refused, and the response says what to send instead", async () => {
  const problem = problemOf(await api().create({ json: { visitId: 4711 } }), 400, "invalid-request");
  assert.match(problem.detail, /^visitId is a number; .* double quotes/);
});

test("an empty array, as PHP writes it, counts as an object without members", async () => {
  const created = sessionOf(await api().create({ json: [] }));
  assert.equal(created.state, "anonymous");
  const headers = { gkc_customerId: "c" };
  const updated = sessionOf(await api().update(created.sessionId, { headers, json: [] }));
  assert.equal(updated.customerId, "c");
  const nothing = await api().update(created.sessionId, { json: [] });
  problemOf(nothing, 400, "nothing-to-associate");
  const filter = problemOf(await api().call("POST", "/sessions/end", { json: [] }), 400, "invalid-request");
  assert.match(filter.detail, /asks for nothing/);
});

for (const [name, value] of Object.entries(wrong)) {
  test(`an id in the body is refused when it is ${name}`, async () => {
    const both = { visitId: value, globalVisitId: value };
    const problem = problemOf(await api().create({ json: both }), 400, "invalid-request");
    assert.deepEqual(places(problem), ["body visitId", "body globalVisitId"]);
    const one = problemOf(await api().create({ json: { globalVisitId: value } }), 400, "invalid-request");
    assert.deepEqual(places(one), ["body globalVisitId"]);
    assert.match(one.detail, /globalVisitId/);
  });
}

test("one refusal lists the faults of headers and body, and nothing is applied", async () => {
  const { sessionId } = sessionOf(await api().create());
  const headers = { gkc_agentId: "good", gkc_customerId: "x".repeat(300) };
  const answer = await api().update(sessionId, {
    headers,
    json: { visitId: 1, globalVisitId: "g" },
  });
  const problem = problemOf(answer, 400, "invalid-request");
  assert.deepEqual(places(problem), ["header gkc_customerId", "body visitId"]);
  assert.equal(sessionOf(await api().retrieve(sessionId)).agentId, null);
});

test("an id in the body may have 256 characters, however many bytes they take", async () => {
  for (const character of ["x", "é", "🦊"]) {
    const globalVisitId = character.repeat(256);
    assert.equal(sessionOf(await api().create({ json: { globalVisitId } })).globalVisitId, globalVisitId);
  }
});

test("escape sequences count as the characters that they stand for", async () => {
  const body = String.raw`{"globalVisitId":"\ud83e\udd8a \u00e9","vis\u0069tId":"${fresh()}"}`;
  const session = sessionOf(await api().create({ body, headers: JSON_TYPE }));
  assert.equal(session.globalVisitId, "🦊 é");
  assert.notEqual(session.visitId, null);
});

test("null and the empty string count as missing", async () => {
  for (const nothing of [null, ""]) {
    const session = sessionOf(await api().create({ json: { visitId: nothing, globalVisitId: nothing } }));
    assert.equal(session.visitId, null);
    assert.equal(session.globalVisitId, null);
    const answer = await api().update(session.sessionId, { json: { visitId: nothing } });
    problemOf(answer, 400, "nothing-to-associate");
  }
});

test("unknown members of a body are ignored, whatever their names", async () => {
  const visitId = fresh();
  const body = `{"visitId":"${visitId}","__proto__":{"globalVisitId":"evil","polluted":1},
    "constructor":{"prototype":{"polluted":1}},"sessionId":"${"A".repeat(40)}","state":"recognized",
    "customerId":"c","agentId":"a","expiresAt":"2099-01-01T00:00:00.000Z","ended":false,
    "toString":1,"hasOwnProperty":null,"extra":{"a":[1,2,{"b":null}]}}`;
  const session = sessionOf(await api().create({ body, headers: JSON_TYPE }));
  assert.equal(session.visitId, visitId);
  assert.equal(session.globalVisitId, null, "a prototype's members are not the caller's");
  assert.equal(session.state, "anonymous");
  assert.equal(session.customerId, null);
  assert.ok(!Object.hasOwn(Object.prototype, "polluted"));
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("an id may be the text __proto__", async () => {
  const session = sessionOf(await api().create({ json: { globalVisitId: "__proto__" } }));
  assert.equal(session.globalVisitId, "__proto__");
});

test("a session can be updated with a body, with or without headers", async () => {
  const { sessionId } = sessionOf(await api().create());
  const visitId = fresh();
  assert.equal(sessionOf(await api().update(sessionId, { json: { visitId } })).visitId, visitId);
  const options = { headers: { gkc_customerId: "c" }, json: { globalVisitId: "g" } };
  const session = sessionOf(await api().update(sessionId, options));
  assert.deepEqual([session.customerId, session.globalVisitId], ["c", "g"]);
});

for (const type of [
  "application/json",
  "Application/JSON",
  "application/json; charset=utf-8",
  "application/json;charset=UTF-8",
  "application/vnd.shop+json",
]) {
  test(`a body with the content type ${type} is accepted`, async () => {
    const visitId = fresh();
    const answer = await api().create({
      body: JSON.stringify({ visitId }),
      headers: { "content-type": type },
    });
    assert.equal(sessionOf(answer).visitId, visitId);
  });
}

for (const type of [
  "text/plain",
  "text/plain;charset=UTF-8",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/jsonp",
  "text/json-seq",
  "json",
  "x-application/json",
]) {
  test(`a body with the content type ${type} is refused`, async () => {
    const { sessionId } = sessionOf(await api().create());
    const options = { body: '{"globalVisitId":"g"}', headers: { "content-type": type } };
    problemOf(await api().create(options), 415, "unsupported-media-type");
    problemOf(await api().update(sessionId, options), 415, "unsupported-media-type");
    assert.equal(sessionOf(await api().retrieve(sessionId)).globalVisitId, null);
  });
}

test("a body without a content type is refused; an empty body needs none", async () => {
  const request = requestText("PUT /sessions/new", [], "{}");
  problemOf(asAnswer(await exchange(server.port, request)), 415, "unsupported-media-type");
  const empty = requestText("PUT /sessions/new", ["Content-Type: text/plain", "Content-Length: 0"]);
  assert.equal((await exchange(server.port, empty)).status, 200);
});

const filled = (length: number) => {
  const frame = '{"globalVisitId":"g","filler":""}';
  return frame.replace('r":""', `r":"${"x".repeat(length - frame.length)}"`);
};

test("a body with a content coding is refused, and the response says which one is accepted", async () => {
  const { sessionId } = sessionOf(await api().create());
  const record = JSON.stringify({ method: "GET", path: "/" });
  for (const coding of ["gzip", "br", "GZIP", "x-unknown", "identity, gzip", "deflate, identity"]) {
    const headers = { ...JSON_TYPE, "content-encoding": coding };
    for (const answer of [
      await api().create({ body: JSON.stringify({ visitId: fresh() }), headers }),
      await api().update(sessionId, { body: JSON.stringify({ visitId: fresh() }), headers }),
      await api().call("POST", `/sessions/${sessionId}/requests`, { body: record, headers }),
    ]) {
      assert.match(problemOf(answer, 415, "unsupported-media-type").detail, /Content-Encoding/);
      assert.equal(answer.headers.get("accept-encoding"), "identity");
    }
  }
  for (const coding of ["identity", "Identity", "identity, identity"]) {
    const headers = { ...JSON_TYPE, "content-encoding": coding };
    sessionOf(await api().create({ body: JSON.stringify({ visitId: fresh() }), headers }));
  }
  // The content coding of an empty body is ignored.
  sessionOf(await api().create({ headers: { "content-encoding": "gzip" } }));
  const typeless = await api().create({ body: "{}", headers: { "content-type": "text/plain" } });
  assert.equal(problemOf(typeless, 415, "unsupported-media-type").title, "The body is not JSON in UTF-8");
  assert.equal(typeless.headers.get("accept-encoding"), null);
});

test("a body in a charset other than UTF-8 is refused", async () => {
  const create = (type: string) =>
    api().create({
      body: JSON.stringify({ visitId: fresh() }),
      headers: { "content-type": type },
    });
  for (const charset of ["ISO-8859-1", '"latin1"', "utf-16", "us-ascii", "utf-8; charset=utf-7"]) {
    const problem = problemOf(await create(`application/json; charset=${charset}`), 415, "unsupported-media-type");
    assert.match(problem.detail, /UTF-8/);
  }
  for (const parameters of [
    "; charset=utf-8",
    ";charset=UTF-8",
    '; Charset="Utf-8"',
    "; version=1; charset=utf8 ; x=y",
    "; charset='utf-8'",
    "; charset=",
    "; x-charset=latin1",
    '; profile="a charset of ours"',
  ]) {
    sessionOf(await create(`application/json${parameters}`));
  }
});

test("a body of 16 KiB is accepted, one byte more is refused", async () => {
  assert.equal(filled(LIMIT).length, LIMIT);
  const fits = await api().create({ body: filled(LIMIT), headers: JSON_TYPE });
  assert.equal(sessionOf(fits).globalVisitId, "g");
  const tooLong = await api().create({ body: filled(LIMIT + 1), headers: JSON_TYPE });
  problemOf(tooLong, 413, "body-too-large");
});

test("a Content-Length that is too large is refused before the body arrives", async () => {
  for (const line of ["PUT /sessions/new", "POST /sessions/x"]) {
    for (const length of [LIMIT + 1, 2 ** 31, 2 ** 40]) {
      await using connection = await openConnection(server.port);
      const headers = ["Content-Type: application/json", `Content-Length: ${length}`];
      connection.send(requestText(line, headers));
      const answer = await connection.response();
      problemOf(asAnswer(answer), 413, "body-too-large");
    }
  }
});

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const chunked = (line: string) => requestText(line, ["Content-Type: application/json", "Transfer-Encoding: chunked"]);

test("a chunked body is read like any other, even in chunks of one byte", async () => {
  for (const size of [1, 7, 1000]) {
    const visitId = fresh();
    const body = utf8(JSON.stringify({ visitId, globalVisitId: "🦊" }));
    const chunks = body.match(new RegExp(`.{1,${size}}`, "gs")) ?? [];
    await using connection = await openConnection(server.port);
    connection.send(chunked("PUT /sessions/new"));
    for (const part of chunks) connection.send(chunk(part));
    connection.send("0\r\n\r\n");
    const answer = await connection.response();
    assert.equal(answer.status, 200, answer.body);
    const session = JSON.parse(answer.body) as SessionInfo;
    assert.equal(session.visitId, visitId);
    assert.equal(session.globalVisitId, "🦊");
  }
});

test("an empty chunked body counts as no body", async () => {
  const request = "PUT /sessions/new HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  const answer = await exchange(server.port, `${request}0\r\n\r\n`);
  assert.equal(answer.status, 200, answer.body);
});

test("a chunked body without an end is refused as soon as it is too large", async () => {
  const { sessionId } = sessionOf(await api().create());
  for (const line of ["PUT /sessions/new", `POST /sessions/${sessionId}`]) {
    await using connection = await openConnection(server.port);
    connection.send(chunked(line));
    const part = chunk("x".repeat(1024));
    for (let sent = 0; sent <= LIMIT; sent += 1024) connection.send(part);
    // The server must respond before the end of the body.
    const answer = await connection.response();
    problemOf(asAnswer(answer), 413, "body-too-large");
  }
});

test("the body of a retrieval is ignored", async () => {
  const { sessionId } = sessionOf(await api().create());
  const request = requestText(`GET /sessions/${sessionId}`, ["Content-Type: text/plain"], "junk");
  const answer = await exchange(server.port, request);
  assert.equal(answer.status, 200, answer.body);
});

for (const [name, headers] of Object.entries({
  "two lengths": ["Content-Length: 2", "Content-Length: 3"],
  "a length and chunks": ["Content-Length: 5", "Transfer-Encoding: chunked"],
  "a negative length": ["Content-Length: -1"],
  "a length in words": ["Content-Length: two"],
  "an unknown transfer encoding": ["Transfer-Encoding: cow"],
})) {
  test(`a request that could be read in two ways is refused: ${name}`, async () => {
    await using connection = await openConnection(server.port);
    const head = ["PUT /sessions/new HTTP/1.1", "Host: localhost", "Content-Type: application/json"];
    connection.send(`${[...head, ...headers].join("\r\n")}\r\n\r\n{}`);
    connection.end();
    const text = await connection.closed();
    assert.doesNotMatch(text, /^HTTP\/1\.1 (2|5)/);
  });
}
