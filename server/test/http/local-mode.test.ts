// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { problemOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { exchange, type RawResponse } from "../support/raw-http.ts";
import { spawnServer, startServer } from "../support/server-process.ts";

/*
 * Mode `local` trusts everybody who can connect to the loopback addresses of this machine. So can a web page whose
 * domain resolves to 127.0.0.1 (DNS rebinding), but the browser then sends that domain as `Host`, which is refused.
 */

let server: TestServer;
before(async () => {
  server = await serve({ config: { basePaths: [{ path: "/v1", dialect: "8.5.0" }] } });
});
after(() => server[Symbol.asyncDispose]());

const ask = (line: string, ...headers: string[]): Promise<RawResponse> =>
  exchange(server.port, `${line} HTTP/1.1\r\n${headers.map((h) => `${h}\r\n`).join("")}\r\n`);

for (const host of [
  "localhost",
  "localhost:8080",
  "LOCALHOST",
  "127.0.0.1",
  "127.0.0.1:1",
  "127.1.2.3",
  "[::1]",
  "[::1]:8080",
  "app.localhost",
]) {
  test(`Host may name this machine: ${host}`, async () => {
    assert.equal((await ask("PUT /sessions/new", `Host: ${host}`)).status, 200);
  });
}

test("an empty Host is refused, also in the first request", async () => {
  await using fresh = await serve();
  const empty = "GET /sessions/x HTTP/1.1\r\nHost:\r\n\r\n";
  for (let i = 0; i < 2; i++) {
    assert.equal((await exchange(fresh.port, empty)).status, 400);
    const good = await exchange(fresh.port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.equal(good.status, 200);
  }
});

test("a request without a Host is accepted, unless it comes from a page", async () => {
  const old = (field: string) => exchange(server.port, `PUT /sessions/new HTTP/1.0\r\n${field}\r\n`);
  assert.equal((await old("")).status, 200);
  for (const origin of ["http://evil.example", "null", ""]) {
    assert.equal((await old(`Origin: ${origin}\r\n`)).status, 400, origin);
  }
  assert.equal((await old("Host: localhost\r\nOrigin: http://evil.example\r\n")).status, 200);
});

for (const host of [
  "evil.example",
  "evil.example:8080",
  "localhost.evil.example",
  "127.0.0.1.evil.example",
  "evil-localhost",
  "10.0.0.1",
  "0.0.0.0",
  "[::2]",
  "::1",
  "127.0.0.1@evil.example",
  "localhost:8080:1",
  "1270.0.1",
]) {
  test(`Host may not name another machine: ${host}`, async () => {
    for (const line of [
      "PUT /sessions/new",
      "GET /sessions/x",
      "POST /sessions/x",
      "PUT /v1/sessions/new/",
      "GET /metrics",
      "GET /healthz",
      "GET /openapi.json",
      "OPTIONS /sessions/new",
      "GET /nowhere",
    ]) {
      const { status, headers, body } = await ask(line, `Host: ${host}`);
      // The HTTP server itself refuses some invalid hosts, with an empty body.
      if (body === "" && status === 400) continue;
      const problem = problemOf({ status, headers, text: body }, 400, "invalid-request");
      assert.deepEqual(
        problem.errors?.map(({ in: place, name }) => [place, name]),
        [["header", "Host"]],
        line,
      );
      assert.match(problem.detail, /auth/, "it says what to configure");
    }
  });
}

test("after a request with a valid host, one with another host is refused on the same connection", async () => {
  for (let i = 0; i < 3; i++) {
    assert.equal((await ask("PUT /sessions/new", "Host: localhost")).status, 200);
    assert.equal((await ask("PUT /sessions/new", "Host: evil.example")).status, 400);
  }
});

test("a request without a host is refused, except over HTTP/1.0, which no browser speaks", async () => {
  assert.equal((await ask("PUT /sessions/new")).status, 400);
  const old = (line: string, field = "") => exchange(server.port, `${line} HTTP/1.0\r\n${field}\r\n`);
  for (const line of ["GET /readyz", "GET /healthz", "PUT /sessions/new", "GET /metrics"]) {
    assert.equal((await old(line)).status, 200, line);
  }
  // These are the default health checks of HAProxy.
  for (const line of ["OPTIONS /", "OPTIONS *"]) assert.equal((await old(line)).status, 204, line);
  for (const host of ["evil.example", ""]) {
    assert.equal((await old("GET /readyz", `Host: ${host}\r\n`)).status, 400);
    assert.equal((await old("OPTIONS /", `Host: ${host}\r\n`)).status, 400);
  }
});

test("a request with two hosts is refused", async () => {
  assert.equal((await ask("PUT /sessions/new", "Host: localhost", "Host: evil.example")).status, 400);
  assert.equal((await ask("PUT /sessions/new", "Host: evil.example", "Host: localhost")).status, 400);
});

test("the host in an absolute target decides, whatever Host says", async () => {
  for (const host of ["evil.example", "localhost", "127.0.0.1"]) {
    for (const target of ["http://evil.example/sessions/new", "https://evil.example:80/sessions/new"]) {
      const { status, headers, body } = await ask(`PUT ${target}`, `Host: ${host}`);
      const problem = problemOf({ status, headers, text: body }, 400, "invalid-request");
      assert.equal(problem.errors?.[0]?.name, "Host");
    }
    for (const target of ["http://localhost/sessions/new", "http://127.0.0.1:80/sessions/new"]) {
      assert.equal((await ask(`PUT ${target}`, `Host: ${host}`)).status, 200);
    }
  }
  // RFC 9112, section 3.2 requires Host even with an absolute target.
  assert.equal((await ask("PUT http://localhost/sessions/new")).status, 400);
});

test("mode key accepts every host name", async () => {
  await using keyed = await serve({ config: { auth: "key" } });
  const request = "PUT /sessions/new HTTP/1.1\r\nHost: sessions.example\r\n\r\n";
  assert.equal((await exchange(keyed.port, request)).status, 401);
});

test("a server without credentials does not start on all addresses, and the error says what to do", async () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.1"]) {
    const wide = spawnServer({ env: { ANTECHAMBER_HOST: host } });
    try {
      const { code } = await wide.exited;
      assert.notEqual(code, 0);
      assert.equal(wide.stdout(), "");
      assert.match(wide.stderr(), /auth/i);
    } finally {
      await wide.end();
    }
  }
});

test("a server started with the command line checks Host", async () => {
  await using own = await startServer();
  const port = Number(new URL(own.url).port);
  const request = "PUT /sessions/new HTTP/1.1\r\nHost: evil.example\r\n\r\n";
  assert.equal((await exchange(port, request)).status, 400);
});
