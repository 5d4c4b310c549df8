// runs: once

import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { SessionInfo } from "@antechamber/client/protocol";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import type { TestServer } from "../support/in-process.ts";
import { exchange, openConnection, type RawResponse, requestText } from "../support/raw-http.ts";

const PLACEHOLDER = "00000000-0000-0000-0000-0000000000";
const ID = /^[A-Za-z0-9_-]{40}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const spoken850 = (path: string) => ({ path, dialect: "8.5.0" }) as const;

/** Returns the SessionInfo in a response. */
function infoIn(answer: RawResponse): SessionInfo {
  assert.equal(answer.headers.get("content-type"), "application/json", answer.body);
  return JSON.parse(answer.body) as SessionInfo;
}

onEachEngine(({ test, serve }) => {
  let server: TestServer;
  before(async () => {
    server = await serve({ config: { basePaths: ["/gks-server/v1", "/a"].map(spoken850) } });
  });
  after(() => server[Symbol.asyncDispose]());

  const at = (base: string) => createApi(server.url + base);
  /** Number of names that `fresh` has made, so that no name is used twice. */
  let used = 0;
  const fresh = (name: string) => `${name} ${++used}`;

  for (const base of ["", "/gks-server/v1", "/a"]) {
    const where = base === "" ? "at the root" : `below ${base}`;

    test(`${where}: create, retrieve and update respond with SessionInfo`, async () => {
      const api = at(base);
      const visitId = fresh("visit");
      const created = await api.create({
        headers: { gkc_agentId: "agent", gkc_customerId: "customer" },
        json: { visitId, globalVisitId: "global" },
      });
      const session = sessionOf(created);
      assert.deepEqual(Object.keys(session), [
        "sessionId",
        "state",
        "agentId",
        "customerId",
        "visitId",
        "globalVisitId",
        "createdAt",
        "lastActiveAt",
        "expiresAt",
      ]);
      assert.match(session.sessionId, ID);
      for (const time of [session.createdAt, session.lastActiveAt, session.expiresAt]) {
        assert.match(time, TIME);
      }
      assert.equal(Date.parse(session.expiresAt) - Date.parse(session.createdAt), 30 * 60_000);
      assert.deepEqual(
        [session.state, session.agentId, session.customerId, session.visitId, session.globalVisitId],
        ["recognized", "agent", "customer", visitId, "global"],
      );
      assert.deepEqual(sessionOf(await api.retrieve(session.sessionId)), session);
      const updated = await api.update(session.sessionId, { json: { visitId } });
      assert.deepEqual(sessionOf(updated), session);
    });

    test(`${where}: a trailing slash is accepted`, async () => {
      const api = at(base);
      const session = sessionOf(await api.call("PUT", "/sessions/new/"));
      const { sessionId } = session;
      assert.deepEqual(sessionOf(await api.call("GET", `/sessions/${sessionId}/`)), session);
      const headers = { gkc_agentId: "a" };
      const updated = await api.call("POST", `/sessions/${sessionId}/`, { headers });
      assert.equal(sessionOf(updated).agentId, "a");
      assert.equal((await api.call("HEAD", `/sessions/${sessionId}/`)).status, 200);
    });

    test(`${where}: repeated slashes before sessions count as one`, async () => {
      const { port } = server;
      const below = base.split("/").slice(1);
      for (const prefix of [`${base}/`, `/${base}`, ["", ...below, ""].join("//"), `${base}////`]) {
        const created = await exchange(port, requestText(`PUT ${prefix}/sessions/new/`));
        const { sessionId } = infoIn(created);
        const found = await exchange(port, requestText(`GET ${prefix}/sessions/${sessionId}`));
        assert.equal(infoIn(found).sessionId, sessionId, prefix);
        assert.equal(found.headers.get("content-location"), `${base}/sessions/${sessionId}`);
        const records = await exchange(port, requestText(`GET ${prefix}/sessions/${sessionId}/requests`));
        assert.equal(records.status, 200, records.body);
      }
    });

    test(`${where}: path parameters after a session id are ignored`, async () => {
      const { sessionId } = sessionOf(await at(base).create());
      const rewritten = `${sessionId};jsessionid=6F1A;v=1`;
      assert.equal(sessionOf(await at(base).retrieve(rewritten)).sessionId, sessionId);
      const headers = { gkc_customerId: "rewritten" };
      const updated = sessionOf(await at(base).update(`${rewritten}/`, { headers }));
      assert.equal(updated.customerId, "rewritten");
      assert.equal((await at(base).call("GET", `/sessions/${rewritten}/requests`)).status, 200);
      assert.equal((await at(base).call("PUT", "/sessions/new;jsessionid=6F1A")).status, 200);
      problemOf(await at(base).call("GET", "/sessions/;jsessionid=6F1A"), 404, "not-found");
      problemOf(await at(base).call("PUT", "/sessions;jsessionid=6F1A/new"), 404, "not-found");
    });

    test(`${where}: Content-Location names the session that the body describes`, async () => {
      const api = at(base);
      for (const id of [PLACEHOLDER, sessionOf(await api.create()).sessionId]) {
        const answer = await api.retrieve(id);
        const { sessionId } = sessionOf(answer);
        assert.equal(answer.headers.get("content-location"), `${base}/sessions/${sessionId}`);
      }
    });

    test(`${where}: a session created below one base path is the same below all others`, async () => {
      const { sessionId } = sessionOf(await at(base).create());
      await at(base).update(sessionId, { headers: { gkc_customerId: "everywhere" } });
      for (const other of ["", "/gks-server/v1", "/a"]) {
        const session = sessionOf(await at(other).retrieve(sessionId));
        assert.equal(session.sessionId, sessionId);
        assert.equal(session.customerId, "everywhere");
      }
    });
  }

  test("every response of the API forbids caching and content sniffing", async () => {
    const api = at("");
    const { sessionId } = sessionOf(await api.create());
    const answers = [
      await api.create(),
      await api.retrieve(sessionId),
      await api.retrieve(PLACEHOLDER),
      await api.update(sessionId, { headers: { gkc_customerId: "c" } }),
      await api.update(sessionId, { headers: { gkc_customerId: "other" } }),
      await api.call("HEAD", `/sessions/${sessionId}`),
      await api.call("DELETE", `/sessions/${sessionId}`),
      await api.call("GET", "/nowhere"),
      await api.create({ body: "{", headers: { "content-type": "application/json" } }),
    ];
    for (const { headers, status } of answers) {
      assert.equal(headers.get("cache-control"), "no-store", `status ${status}`);
      assert.equal(headers.get("x-content-type-options"), "nosniff", `status ${status}`);
    }
  });

  test("real clients: PUT without body, headers and content type", async () => {
    for (const headers of [[], ["Content-Length: 0"]]) {
      const answer = await exchange(server.port, requestText("PUT /sessions/new", headers));
      assert.equal(answer.status, 200, answer.body);
      assert.equal(answer.headers.get("content-type"), "application/json");
      const session = infoIn(answer);
      assert.match(session.sessionId, ID);
      assert.equal(session.state, "anonymous");
      const { agentId, customerId, visitId, globalVisitId } = session;
      assert.deepEqual([agentId, customerId, visitId, globalVisitId], [null, null, null, null]);
    }
  });

  test("real clients: POST with a customer header and nothing else", async () => {
    const { sessionId } = sessionOf(await at("").create());
    for (let visit = 0; visit < 3; visit++) {
      const headers = ["gkc_customerId: client-1"];
      const request = requestText(`POST /sessions/${sessionId}`, headers);
      const answer = await exchange(server.port, request);
      assert.equal(answer.status, 200, answer.body);
      const session = infoIn(answer);
      assert.equal(session.sessionId, sessionId);
      assert.equal(session.customerId, "client-1");
      assert.equal(session.state, "recognized");
    }
  });

  for (const id of ["undefined", "null", PLACEHOLDER, "new"]) {
    test(`real clients: POST /sessions/${id} finds no session`, async () => {
      const answer = await at("").update(id, { headers: { gkc_customerId: "c" } });
      problemOf(answer, 404, "session-not-found");
    });

    test(`real clients: GET /sessions/${id} creates another session each time`, async () => {
      const first = sessionOf(await at("").retrieve(id));
      const second = sessionOf(await at("").retrieve(id));
      assert.match(first.sessionId, ID);
      assert.notEqual(first.sessionId, second.sessionId);
      assert.notEqual(first.sessionId, id);
      assert.equal(first.state, "anonymous");
    });
  }

  test("real clients: an empty customer header counts as missing", async () => {
    const empty = { headers: { gkc_customerId: "" } };
    const { sessionId, customerId } = sessionOf(await at("").create(empty));
    assert.equal(customerId, null);
    assert.equal(sessionOf(await at("").retrieve(sessionId, empty)).sessionId, sessionId);
    problemOf(await at("").update(sessionId, empty), 400, "nothing-to-associate");
  });

  test("real clients: a content type without a body, and an empty object", async () => {
    const json = { "content-type": "application/json" };
    assert.equal(sessionOf(await at("").create({ headers: json })).state, "anonymous");
    assert.equal(sessionOf(await at("").create({ json: {} })).state, "anonymous");
    const nulls = { visitId: null, globalVisitId: "", other: 1 };
    assert.equal(sessionOf(await at("").create({ json: nulls })).visitId, null);
  });

  test("HEAD shows whether a session is live, and never creates one", async () => {
    const { sessionId } = sessionOf(await at("").create());
    const found = await exchange(server.port, requestText(`HEAD /sessions/${sessionId}`), {
      head: true,
    });
    assert.equal(found.status, 200);
    assert.equal(found.headers.get("content-location"), `/sessions/${sessionId}`);
    for (const id of [PLACEHOLDER, "undefined", "new", "A".repeat(40)]) {
      const answer = await at("").call("HEAD", `/sessions/${id}`);
      assert.equal(answer.status, 404, id);
      assert.equal(answer.headers.get("content-location"), null);
      assert.equal(answer.text, "");
    }
  });

  test("HEAD has the headers of GET and no body, on one connection", async () => {
    const { sessionId } = sessionOf(await at("").create());
    await using connection = await openConnection(server.port);
    connection.send(requestText(`HEAD /sessions/${sessionId}`));
    const head = await connection.response({ head: true });
    connection.send(requestText(`GET /sessions/${sessionId}`));
    const get = await connection.response();
    assert.equal(infoIn(get).sessionId, sessionId);
    for (const name of ["content-type", "content-length", "content-location", "cache-control"]) {
      assert.equal(head.headers.get(name), get.headers.get(name), name);
    }
  });

  test("a percent-encoded id is decoded", async () => {
    const { sessionId } = sessionOf(await at("").create());
    const encode = (c: string) => `%${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
    const encoded = [...sessionId].map(encode).join("");
    for (const id of [encoded, encoded.toUpperCase(), encode(sessionId[0] ?? "") + sessionId.slice(1)]) {
      assert.equal(sessionOf(await at("").retrieve(id)).sessionId, sessionId, id);
      assert.equal((await at("").call("HEAD", `/sessions/${id}`)).status, 200);
    }
    const updated = await at("").update(encoded, { headers: { gkc_customerId: "c" } });
    assert.equal(sessionOf(updated).sessionId, sessionId);
  });

  for (const id of ["%", "%zz", "%2F", "%00", "%ff", "%C3%A9", "a%20b", "%2e%2e", "..;", "'--"]) {
    test(`a malformed id never names a session: ${id}`, async () => {
      const request = requestText(`GET /sessions/${id}`);
      const answer = await exchange(server.port, request);
      assert.ok([200, 400, 404].includes(answer.status), answer.body);
      if (answer.status === 200) assert.match(infoIn(answer).sessionId, ID);
      const update = requestText(`POST /sessions/${id}`, ["gkc_customerId: c"]);
      assert.ok([400, 404].includes((await exchange(server.port, update)).status));
    });
  }

  test("the query of a request on a session is ignored", async () => {
    const { sessionId } = sessionOf(await at("").call("PUT", "/sessions/new?visitId=v&x=/y"));
    const found = sessionOf(await at("").retrieve(`${sessionId}?sessionId=other`));
    assert.equal(found.sessionId, sessionId);
    assert.equal(found.visitId, null);
    const answer = await at("").update(`${sessionId}?customerId=c`);
    problemOf(answer, 400, "nothing-to-associate");
  });

  test("the path in an absolute target is used, even if it is empty", async () => {
    for (const target of ["http://localhost", "http://localhost?x=/healthz", "http://localhost?"]) {
      const answer = await exchange(server.port, requestText(`GET ${target}`));
      assert.equal(answer.status, 200, `${target}: ${answer.body}`);
      assert.match(answer.body, /"service":"antechamber"/);
    }
    const health = await exchange(server.port, requestText("GET http://localhost/healthz?a=://b/c"));
    assert.equal(health.status, 200);
  });

  test("an absolute request target is served as its path", async () => {
    const line = "PUT http://localhost/sessions/new";
    const answer = await exchange(server.port, requestText(line));
    assert.equal(answer.status, 200, answer.body);
  });

  for (const path of [
    "/customers",
    "/customers/",
    "/session/new",
    "/SESSIONS/new",
    "/sessions/x/y",
    "/gks-server/v1",
    "/gks-server/v1/",
    "/gks-server/v2/sessions/new",
    "/gks-server/v1/healthz",
    "/asessions/new",
    "/favicon.ico",
  ]) {
    test(`${path} does not exist`, async () => {
      for (const method of ["GET", "PUT", "POST", "DELETE", "OPTIONS"]) {
        // OPTIONS on the root is about the server, not about a path.
        if (method === "OPTIONS" && path === "/") continue;
        problemOf(await at("").call(method, path), 404, "not-found");
      }
      assert.equal((await at("").call("HEAD", path)).status, 404);
    });
  }

  // These requests are sent without `fetch`, since Bun's merges repeated slashes.
  for (const path of ["//healthz", "//customers/x", "//forward-auth", "//sessionsx", "/sessions//new"]) {
    test(`repeated slashes elsewhere are not merged: ${path}`, async () => {
      for (const method of ["GET", "PUT", "DELETE"]) {
        const answer = await exchange(server.port, requestText(`${method} ${path}`));
        assert.equal(answer.status, 404, method);
      }
    });
  }

  test("OPTIONS of the server lists its methods", async () => {
    for (const target of ["*", "/", "http://localhost", "http://localhost/"]) {
      const answer = await exchange(server.port, requestText(`OPTIONS ${target}`));
      assert.equal(answer.status, 204, target);
      assert.equal(answer.headers.get("allow"), "GET, POST, DELETE, PATCH, PUT, HEAD, OPTIONS");
    }
    assert.equal((await exchange(server.port, requestText("OPTIONS /?a"))).status, 204);
    problemOf(await at("").call("OPTIONS", "/*"), 404, "not-found");
  });

  test("CONNECT and TRACE are always refused", async () => {
    for (const [line, status] of [
      ["CONNECT a.example:443", 405],
      ["CONNECT /sessions/new", 400],
      ["CONNECT /forward-auth", 403],
      ["TRACE /sessions/new", 405],
      ["TRACE /forward-auth", 403],
      ["TRACE /forward-auth/a/b", 403],
      ["TRACE /nowhere", 404],
      ["TRACE *", 400],
    ] as const) {
      const answer = await exchange(server.port, requestText(line));
      assert.equal(answer.status, status, line);
      if (status === 405) assert.match(answer.headers.get("allow") ?? "", /PUT/);
    }
  });

  /** Paths, the methods that they allow, and some that they do not allow. */
  const methods: [string, string[], string[]][] = [
    ["/sessions/new", ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"], ["PATCH"]],
    [`/sessions/${PLACEHOLDER}`, ["DELETE", "GET", "HEAD", "OPTIONS", "POST"], ["PUT", "PATCH"]],
    ["/gks-server/v1/sessions/x/", ["DELETE", "GET", "HEAD", "OPTIONS", "POST"], ["PUT", "PATCH"]],
    ["/sessions", ["GET", "HEAD", "OPTIONS"], ["PUT", "POST", "DELETE"]],
    ["/customers/x", ["DELETE", "OPTIONS"], ["PUT", "POST"]],
    ["/healthz", ["GET", "HEAD", "OPTIONS"], ["PUT", "POST", "DELETE"]],
    ["/metrics", ["GET", "HEAD", "OPTIONS"], ["PUT", "POST", "DELETE"]],
  ];
  for (const [path, allowed, others] of methods) {
    test(`${path} lists its methods in Allow`, async () => {
      const asked = await at("").call("OPTIONS", path);
      assert.equal(asked.status, 204);
      assert.deepEqual(asked.headers.get("allow")?.split(", ").toSorted(), allowed);
      for (const method of others) {
        const answer = await at("").call(method, path, { json: { visitId: "v" } });
        problemOf(answer, 405, "method-not-allowed");
        assert.deepEqual(answer.headers.get("allow")?.split(", ").toSorted(), allowed);
      }
    });
  }

  test("several requests can follow each other on one connection", async () => {
    await using connection = await openConnection(server.port);
    const json = ["Content-Type: application/json"];
    const ask = async (request: string) => {
      connection.send(request);
      return await connection.response();
    };
    assert.equal((await ask(requestText("PUT /sessions/new"))).status, 200);
    const stored = await ask(requestText("PUT /sessions/new", json, '{"globalVisitId":"g"}'));
    assert.equal(infoIn(stored).globalVisitId, "g");
    assert.equal((await ask(requestText("GET /nowhere"))).status, 404);
    assert.equal((await ask(requestText("PUT /sessions/new", json, "["))).status, 400);
    assert.equal((await ask(requestText("PUT /sessions/new"))).status, 200);
  });

  test("an HTTP/1.0 request gets a response, and its connection is closed", async () => {
    await using connection = await openConnection(server.port);
    connection.send("PUT /sessions/new HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert.equal((await connection.response()).status, 200);
    await connection.closed();
  });
});
