import assert from "node:assert/strict";
import { test } from "node:test";
import { openConnection } from "../support/raw-http.ts";
import { identityHeaders } from "./aliases.ts";
import { identityOf, startApplication } from "./application.ts";
import { startProxy } from "./proxy-process.ts";
import { asHeaders, cookieOf, only, recorded, type Stage } from "./stage.ts";
import { HOST, sessionCookie, visit, visitText } from "./visitor.ts";

/** What passes between the three: the request, its body, its record, the cookie. */
export function passageContract(proxyName: string, stage: () => Stage): void {
  test(`${proxyName}: a request is recorded as it was made, without its query`, async () => {
    const { antechamber, application, proxy } = stage();
    const session = await antechamber.createSession({ customerId: "carol" });
    const forged = ["X-Original-Method: DELETE", "X-Original-URI: /forged"];
    const forwarded = ["X-Forwarded-Method: DELETE", "X-Forwarded-Uri: /forged"];
    for (const method of ["GET", "POST", "PATCH", "DELETE"]) {
      await visit(proxy.port, `/articles/${method}/%C3%A4?q=secret`, {
        method,
        headers: [cookieOf(session), ...forged, ...forwarded],
        body: "",
      });
    }
    const requests = await recorded(antechamber, session.sessionId, 4);
    assert.deepEqual(
      requests.map(({ method, path }) => `${method} ${path}`),
      ["GET", "POST", "PATCH", "DELETE"].map((method) => `${method} /articles/${method}/%C3%A4`),
    );
    for (const { service, customerId } of requests) {
      assert.deepEqual([service, customerId], [HOST, "carol"]);
    }
    application.take();
  });

  test(`${proxyName}: a new visitor gets a cookie beside the application's, and keeps the session`, async () => {
    const { antechamber, application, proxy } = stage();
    const first = await visit(proxy.port, "/");
    const cookie = sessionCookie(first) ?? "";
    assert.match(cookie, /^sessionId=[\w-]{40}; Path=\/; SameSite=Lax; HttpOnly$/);
    assert.match(first.headers.get("set-cookie") ?? "", /^basket=7; Path=\/$/m);
    const sessionId = cookie.slice("sessionId=".length, cookie.indexOf(";"));
    assert.deepEqual(identityOf(only(application)), { "gkc-sessionid": sessionId });

    const second = await visit(proxy.port, "/2", { headers: [`Cookie: sessionId=${sessionId}`] });
    assert.equal(sessionCookie(second), undefined);
    assert.deepEqual(identityOf(only(application)), { "gkc-sessionid": sessionId });
    const requests = await recorded(antechamber, sessionId, 2);
    assert.deepEqual(
      requests.map(({ path }) => path),
      ["/", "/2"],
    );
  });

  test(`${proxyName}: a body passes untouched, of known and of unknown length`, async () => {
    const { antechamber, application, proxy } = stage();
    const session = await antechamber.createSession({ visitId: "bodies" });
    const body = Array.from({ length: 300_000 }, (_, at) => String.fromCharCode(at % 256)).join("");
    const headers = [cookieOf(session), "Content-Type: application/octet-stream"];
    const known = await visit(proxy.port, "/upload", { method: "POST", headers, body });
    assert.equal(known.status, 200, proxy.log());
    assert.ok(only(application).body === body, "the body has changed");

    await using connection = await openConnection(proxy.port);
    const chunked = [...headers, "Transfer-Encoding: chunked"];
    connection.send(visitText("/upload", { method: "PUT", headers: chunked }));
    for (let at = 0; at < body.length; at += 10_000) {
      connection.send(`2710\r\n${body.slice(at, at + 10_000)}\r\n`);
    }
    connection.send("0\r\n\r\n");
    assert.equal((await connection.response()).status, 200, proxy.log());
    const arrival = only(application);
    assert.equal(arrival.method, "PUT");
    assert.ok(arrival.body === body, "the body has changed");
  });

  test(`${proxyName}: large headers of a request are no obstacle`, async () => {
    const { antechamber, application, proxy } = stage();
    const session = await antechamber.createSession({ customerId: "dave" });
    const headers = [
      `${cookieOf(session)}; filling=${"x".repeat(6000)}`,
      `X-Y: ${"y".repeat(6000)}`,
    ];
    const answer = await visit(proxy.port, `/${"z".repeat(3000)}`, { headers });
    assert.equal(answer.status, 200, proxy.log());
    assert.deepEqual(identityOf(only(application)), asHeaders(session));
  });

  test(`${proxyName}: Antechamber is asked by a GET without the body or the application's credentials`, async () => {
    const { program, application } = stage();
    const empty = Object.fromEntries(identityHeaders.map((name) => [name, ""]));
    await using witness = await startApplication(empty);
    await using watched = await startProxy(program, {
      antechamber: witness.port,
      application: application.port,
    });
    const invented = ["X-Forwarded-For: 192.0.2.66", "Forwarded: for=192.0.2.66"];
    const others = ["Content-Type: text/plain", "X-Original-Uri: /x", ...invented];
    const headers = ["Authorization: Basic YTpi", ...others];
    const options = { method: "POST", headers, body: "the order" };
    assert.equal((await visit(watched.port, "/order?id=1", options)).status, 200, watched.log());
    assert.deepEqual(identityOf(only(application)), {});
    const [asked, ...more] = witness.take();
    assert.ok(asked !== undefined && more.length === 0);
    assert.deepEqual([asked.method, asked.url, asked.body], ["GET", "/forward-auth", ""]);
    const sent = new Map(asked.headers.map(([name, value]) => [name.toLowerCase(), value]));
    assert.equal(sent.size, asked.headers.length, "a header is there twice");
    assert.equal(sent.get("authorization"), undefined);
    assert.match(sent.get("host") ?? "", /^127\.0\.0\.1/);
    assert.ok(!asked.headers.some(([, value]) => value === "/x"), "a path that a client made up");
    assert.equal(sent.get("x-forwarded-for"), "127.0.0.1");
    assert.equal(sent.get("forwarded"), undefined);
  });
}
