import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { until } from "../support/eventually.ts";
import { freePort } from "../support/free-ports.ts";
import { startAntechamber } from "./antechamber.ts";
import { identityOf } from "./application.ts";
import { allowWithoutAntechamber, startProxy } from "./proxy-process.ts";
import { cookieOf, identityHeadersOf, type ProxySetup, portsOf, takeOnly } from "./setup.ts";
import { sessionCookie, visit } from "./visitor.ts";

/** Tests failures: no request may reach the application unless Antechamber has allowed it. */
export function failureContract(proxyName: string, setup: () => ProxySetup): void {
  test(`${proxyName}: mode required: without a session the client gets a 401 and the application gets nothing`, async () => {
    const { program, application } = setup();
    await using strict = await startAntechamber({ ANTECHAMBER_FORWARD_AUTH: "required" });
    await using guarded = await startProxy(program, portsOf(strict, application));
    for (const headers of [[], ["Cookie: sessionId=unknown", "gkc-customerId: alice"]]) {
      const answer = await visit(guarded.port, "/", { headers });
      assert.equal(answer.status, 401);
      assert.equal(sessionCookie(answer), undefined);
    }
    assert.deepEqual(application.take(), []);
    const session = await strict.createSession({ customerId: "erin" });
    const answer = await visit(guarded.port, "/", { headers: [cookieOf(session)] });
    assert.equal(answer.status, 200);
    assert.deepEqual(identityOf(takeOnly(application)), identityHeadersOf(session));
  });

  test(`${proxyName}: while Antechamber is stopped, hangs or refuses, nothing reaches the application`, async () => {
    const { program, application } = setup();
    await using fragile = await startAntechamber(await ownPort());
    await using dependent = await startProxy(program, portsOf(fragile, application), undefined, {
      keepsTimeouts: true,
    });
    const session = await fragile.createSession({ customerId: "frank" });
    const headers = [cookieOf(session), "gkc-customerId: mallory"];
    const refused = async () => {
      for (const options of [{ headers }, { headers, method: "POST", body: "order" }]) {
        const answer = await visit(dependent.port, "/", options);
        assert.ok(answer.status >= 500 && answer.status <= 504, `${answer.status}`);
        assert.equal(sessionCookie(answer), undefined);
        assert.doesNotMatch(JSON.stringify([...answer.headers, answer.body]), /frank|mallory/);
      }
      assert.deepEqual(application.take(), []);
    };
    // A busy machine may exceed the time limits of the example.
    const isServed = async () => (await visit(dependent.port, "/", { headers })).status === 200;
    await until("the request is served", isServed);
    assert.deepEqual(identityOf(takeOnly(application)), identityHeadersOf(session));

    // The stopped process still accepts connections, but never responds.
    process.kill(fragile.server.pid, "SIGSTOP");
    await refused();
    process.kill(fragile.server.pid, "SIGCONT");
    await until("it answers again", isServed);
    application.take();
    await fragile.server.kill("SIGKILL");
    await refused();

    const overloaded = createServer((_, response) => response.writeHead(503).end("{}"));
    await using _ = await listen(overloaded, fragile.port);
    await refused();
  });

  test(`${proxyName}: with the optional lines, requests are served anonymously while Antechamber is unavailable`, async () => {
    const { program, application } = setup();
    await using fragile = await startAntechamber(await ownPort());
    const ports = portsOf(fragile, application);
    await using lenient = await startProxy(program, ports, allowWithoutAntechamber);
    const session = await fragile.createSession({ customerId: "grace" });
    const invented = ["gkc-customerId: mallory", "gkc_agentId: mallory", "Gkc-SessionId: x"];
    const headers = [...invented, cookieOf(session)];
    const anonymous = async () => {
      for (const options of [{ headers }, { headers, method: "POST", body: "the order" }]) {
        const answer = await visit(lenient.port, "/order?id=1", options);
        assert.equal(answer.status, 200, lenient.log());
        assert.equal(sessionCookie(answer), undefined);
        const { method, url, body, headers: arrived } = takeOnly(application);
        assert.deepEqual(
          { method, url, body },
          { method: options.method ?? "GET", url: "/order?id=1", body: options.body ?? "" },
        );
        assert.ok(!arrived.some(([name, value]) => /^gkc/i.test(name) && value !== ""));
      }
    };
    assert.equal((await visit(lenient.port, "/", { headers })).status, 200);
    assert.deepEqual(identityOf(takeOnly(application)), identityHeadersOf(session));
    await fragile.server.kill("SIGKILL");
    await anonymous();
    const overloaded = createServer((_, response) => response.writeHead(503).end("{}"));
    await using _ = await listen(overloaded, fragile.port);
    await anonymous();
  });

  test(`${proxyName}: with the optional lines, an unavailable application gets one request`, async () => {
    const { program, antechamber } = setup();
    let requests = 0;
    const broken = createServer((request) => {
      requests++;
      request.socket.destroy();
    });
    await using listening = await listen(broken, 0);
    const ports = { antechamber: antechamber.port, application: listening.port };
    await using lenient = await startProxy(program, ports, allowWithoutAntechamber);
    const answer = await visit(lenient.port, "/order", { method: "POST", body: "the order" });
    assert.equal(answer.status, 502);
    assert.equal(requests, 1);
  });
}

/** Returns the setting of a port that no other program gets while the server is stopped. */
async function ownPort() {
  return { ANTECHAMBER_PORT: String(await freePort()) };
}

async function listen(server: Server, port: number): Promise<AsyncDisposable & { port: number }> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
