import assert from "node:assert/strict";
import { test } from "node:test";
import { openConnection, utf8 } from "../support/raw-http.ts";
import { addressAliases, identityHeaders } from "./aliases.ts";
import { startAntechamber } from "./antechamber.ts";
import { identityOf, startApplication } from "./application.ts";
import { type Edit, startProxy } from "./proxy-process.ts";
import { cookieOf, identityHeadersOf, type ProxySetup, portsOf, takeOnly, untilRecorded } from "./setup.ts";
import { HOST, sessionCookie, visit, visitText } from "./visitor.ts";

/** Tests that paths, bodies, records, cookies and upgrades pass through the proxy. */
export function forwardingContract(proxyName: string, setup: () => ProxySetup, leaveOut: Edit): void {
  test(`${proxyName}: a request is recorded with its original method and path, without its query`, async () => {
    const { antechamber, application, proxy } = setup();
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
    const requests = await untilRecorded(antechamber, session.sessionId, 4);
    assert.deepEqual(
      requests.map(({ method, path }) => `${method} ${path}`),
      ["GET", "POST", "PATCH", "DELETE"].map((method) => `${method} /articles/${method}/%C3%A4`),
    );
    for (const { service, customerId } of requests) {
      assert.deepEqual([service, customerId], [HOST, "carol"]);
    }
    application.take();
  });

  test(`${proxyName}: paths are recorded unchanged, also long ones and those with UTF-8`, async () => {
    const { antechamber, application, proxy } = setup();
    const session = await antechamber.createSession({ visitId: "paths" });
    const long = `/${"a".repeat(1000)}${"%C3%A9".repeat(1000)}`;
    const paths = ["/caf\u00e9/stra\u00dfe", "/\u540d\u524d", "/cafe\u0301", "/a%2Fb", long];
    // Only the record matters: the application, which runs on Node, refuses raw UTF-8 in a request line.
    for (const path of paths) await visit(proxy.port, utf8(path), { headers: [cookieOf(session)] });
    application.take();
    const requests = await untilRecorded(antechamber, session.sessionId, paths.length);
    const found = requests.map(({ path }) => path);
    assert.deepEqual(found.slice(0, -1).map(decodeURI), paths.slice(0, -1));
    assert.ok(long.startsWith(found.at(-1) ?? "?") && (found.at(-1) ?? "").length >= 2000);
  });

  test(`${proxyName}: a CORS preflight reaches the application without a session`, async () => {
    const { application, proxy } = setup();
    const headers = ["Origin: https://other.example", "Access-Control-Request-Method: PUT"];
    const options = { method: "OPTIONS", headers: [...headers, "gkc-customerId: mallory"] };
    const answer = await visit(proxy.port, "/kbs", options);
    assert.equal(answer.status, 200, proxy.log());
    assert.equal(sessionCookie(answer), undefined);
    const arrival = takeOnly(application);
    assert.equal(arrival.method, "OPTIONS");
    assert.deepEqual(identityOf(arrival), {});
  });

  test(`${proxyName}: no cache may store a response with a new cookie; other responses do not change`, async () => {
    const { program, antechamber } = setup();
    const cacheControl = ["public, max-age=600", "stale-if-error=60"];
    await using application = await startApplication({ "cache-control": cacheControl });
    await using proxy = await startProxy(program, portsOf(antechamber, application));
    const first = await visit(proxy.port, "/");
    assert.match(sessionCookie(first) ?? "", /^sessionId=/);
    const cacheHeader = first.headers.get("cache-control") ?? "";
    assert.match(cacheHeader, /private, no-store/);
    assert.doesNotMatch(cacheHeader, /public|max-age|stale/);
    const session = await antechamber.createSession({ visitId: "cached" });
    const second = await visit(proxy.port, "/", { headers: [cookieOf(session)] });
    assert.equal(second.headers.get("cache-control"), cacheControl.join("\n"));
    assert.equal(second.headers.get("expires"), undefined);
  });

  test(`${proxyName}: a WebSocket passes with its identity, and no other upgrade does`, async () => {
    const { antechamber, application, proxy } = setup();
    const session = await antechamber.createSession({ customerId: "carol" });
    await using connection = await openConnection(proxy.port);
    const headers = [cookieOf(session), "Connection: keep-alive, Upgrade", "Upgrade: websocket"];
    connection.send(visitText("/live", { headers }));
    assert.equal((await connection.response()).status, 101, proxy.log());
    assert.deepEqual(identityOf(takeOnly(application)), identityHeadersOf(session));
    connection.send("HTTP/1.1 200 it comes back\r\nContent-Length: 0\r\n\r\n");
    assert.equal((await connection.response()).status, 200);

    const settings = ["Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"];
    for (const other of ["h2c", "H2C, websocket", "websocket, h2c"]) {
      const smuggled = [cookieOf(session), `Upgrade: ${other}`, ...settings];
      const answer = await visit(proxy.port, "/", { headers: smuggled });
      assert.equal(answer.status, 200, other);
      const names = takeOnly(application).headers.map(([name]) => name.toLowerCase());
      assert.ok(!names.includes("upgrade"), other);
    }
  });

  test(`${proxyName}: a path that is excluded from the sub-request as documented gets no session and no identity`, async () => {
    const { program, antechamber, application } = setup();
    const ports = portsOf(antechamber, application);
    await using proxy = await startProxy(program, ports, leaveOut);
    const session = await antechamber.createSession({ customerId: "dora" });
    const invented = ["gkc-customerId: mallory", "gkc_agentId: mallory", cookieOf(session)];
    for (const path of ["/a/logo.svg?v=2", "/site.css"]) {
      const answer = await visit(proxy.port, path, { headers: invented });
      assert.equal(answer.status, 200, proxy.log());
      assert.equal(sessionCookie(answer), undefined);
      const arrival = takeOnly(application);
      assert.equal(arrival.url, path);
      assert.deepEqual(identityOf(arrival), {});
    }
    const page = await visit(proxy.port, "/page", { headers: invented });
    assert.equal(page.status, 200, proxy.log());
    assert.deepEqual(identityOf(takeOnly(application)), identityHeadersOf(session));
  });

  test(`${proxyName}: headers in which a client claims an address are removed`, async () => {
    const { program, application, proxy } = setup();
    const invented = (at: number) => addressAliases().map((name) => `${name}: for=192.0.2.${at}`);
    await visit(proxy.port, "/", { headers: invented(1) });
    const arrived = JSON.stringify(takeOnly(application).headers);
    assert.doesNotMatch(arrived, /192\.0\.2/);

    await using limited = await startAntechamber({
      ANTECHAMBER_TRUSTED_PROXIES: "127.0.0.1",
      ANTECHAMBER_MISSES_PER_ADDRESS: "3/1h",
    });
    await using strict = await startProxy(program, portsOf(limited, application));
    const statuses: number[] = [];
    for (let at = 1; at <= 6; at++) {
      statuses.push((await visit(strict.port, "/", { headers: invented(at) })).status);
    }
    assert.deepEqual(statuses.slice(0, 3), [200, 200, 200]);
    assert.ok(
      statuses.slice(3).every((status) => status >= 500),
      statuses.join(),
    );
    application.take();
  });

  test(`${proxyName}: the application gets the requested host only from the proxy`, async () => {
    const { application, proxy } = setup();
    const lies = ["X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix"];
    await visit(proxy.port, "/", { headers: lies.map((name) => `${name}: evil.example`) });
    const { headers } = takeOnly(application);
    assert.doesNotMatch(JSON.stringify(headers), /evil/);
    assert.deepEqual(
      headers.filter(([name]) => name.toLowerCase() === "x-forwarded-host").map(([, value]) => value),
      [HOST],
    );
  });

  test(`${proxyName}: many cookies, or an invalid one among them, do not hide the session`, async () => {
    await passManyCookies(setup(), proxyName, 4);
  });

  test(`${proxyName}: a new visitor gets a cookie in addition to the application's, and keeps the session`, async () => {
    const { antechamber, application, proxy } = setup();
    const first = await visit(proxy.port, "/");
    const cookie = sessionCookie(first) ?? "";
    assert.match(cookie, /^sessionId=[\w-]{40}; Path=\/; SameSite=Lax; HttpOnly$/);
    assert.match(first.headers.get("set-cookie") ?? "", /^basket=7; Path=\/$/m);
    const sessionId = cookie.slice("sessionId=".length, cookie.indexOf(";"));
    assert.deepEqual(identityOf(takeOnly(application)), { "gkc-sessionid": sessionId });

    const second = await visit(proxy.port, "/2", { headers: [`Cookie: sessionId=${sessionId}`] });
    assert.equal(sessionCookie(second), undefined);
    assert.deepEqual(identityOf(takeOnly(application)), { "gkc-sessionid": sessionId });
    const requests = await untilRecorded(antechamber, sessionId, 2);
    assert.deepEqual(
      requests.map(({ path }) => path),
      ["/", "/2"],
    );
  });

  test(`${proxyName}: a browser keeps the session's cookie that the application sets, also if the session has just begun`, async () => {
    const { program, antechamber } = setup();
    const cookies = ["basket=7; Path=/", "sessionId=of-the-application; Path=/", "theme=dark; Path=/"];
    await using application = await startApplication({ "set-cookie": cookies });
    await using proxy = await startProxy(program, portsOf(antechamber, application));
    const answer = await visit(proxy.port, "/sign-in", { method: "POST" });
    const received = (answer.headers.get("set-cookie") ?? "").split("\n");
    // Of several cookies with the same name, browsers keep the last one.
    assert.equal(
      received.findLast((line) => line.startsWith("sessionId=")),
      cookies[1],
    );
    for (const cookie of cookies) assert.ok(received.includes(cookie), cookie);
  });

  test(`${proxyName}: a body of known or unknown length passes unchanged`, async () => {
    const { antechamber, application, proxy } = setup();
    const session = await antechamber.createSession({ visitId: "bodies" });
    const body = Array.from({ length: 300_000 }, (_, at) => String.fromCharCode(at % 256)).join("");
    const headers = [cookieOf(session), "Content-Type: application/octet-stream"];
    const known = await visit(proxy.port, "/upload", { method: "POST", headers, body });
    assert.equal(known.status, 200, proxy.log());
    assert.ok(takeOnly(application).body === body, "the body has changed");

    await using connection = await openConnection(proxy.port);
    const chunked = [...headers, "Transfer-Encoding: chunked"];
    connection.send(visitText("/upload", { method: "PUT", headers: chunked }));
    for (let at = 0; at < body.length; at += 10_000) {
      connection.send(`2710\r\n${body.slice(at, at + 10_000)}\r\n`);
    }
    connection.send("0\r\n\r\n");
    assert.equal((await connection.response()).status, 200, proxy.log());
    const arrival = takeOnly(application);
    assert.equal(arrival.method, "PUT");
    assert.ok(arrival.body === body, "the body has changed");
  });

  test(`${proxyName}: a request with large headers passes`, async () => {
    const { antechamber, application, proxy } = setup();
    const session = await antechamber.createSession({ customerId: "dave" });
    const headers = [`${cookieOf(session)}; filling=${"x".repeat(8000)}`, `X-Y: ${"y".repeat(6000)}`];
    const answer = await visit(proxy.port, `/${"z".repeat(8000)}`, { headers });
    assert.equal(answer.status, 200, proxy.log());
    assert.deepEqual(identityOf(takeOnly(application)), identityHeadersOf(session));
  });

  test(`${proxyName}: the sub-request is a GET without the body or the application's credentials`, async () => {
    const { program, application } = setup();
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
    assert.deepEqual(identityOf(takeOnly(application)), {});
    const [subRequest, ...more] = witness.take();
    assert.ok(subRequest !== undefined && more.length === 0);
    assert.deepEqual([subRequest.method, subRequest.url, subRequest.body], ["GET", "/forward-auth", ""]);
    const sent = new Map(subRequest.headers.map(([name, value]) => [name.toLowerCase(), value]));
    assert.equal(sent.size, subRequest.headers.length, "a header is there twice");
    assert.equal(sent.get("authorization"), undefined);
    assert.match(sent.get("host") ?? "", /^127\.0\.0\.1/);
    assert.ok(!subRequest.headers.some(([, value]) => value === "/x"), "a path that a client made up");
    assert.equal(sent.get("x-forwarded-for"), "127.0.0.1");
    assert.equal(sent.get("forwarded"), undefined);
  });
}

/**
 * Sends requests with `fields` headers of 6,000 characters of cookies each, in addition to the session's cookie.
 * Asserts that the session is found and that all cookies reach the application.
 */
export async function passManyCookies(setup: ProxySetup, customerId: string, fields: number) {
  const { antechamber, application, proxy } = setup;
  const session = await antechamber.createSession({ customerId });
  const filling = Array.from({ length: fields }, (_, at) => `Cookie: c${at}=${"x".repeat(6000)}`);
  const cookies = [
    "sessionId=invented",
    `xsessionId=${"y".repeat(40)}`,
    `sessionId=${session.sessionId}x`,
    `sessionId=${"z".repeat(40)}`,
    `sessionId="${session.sessionId}"`,
  ];
  for (const headers of [
    [...filling, `Cookie: ${cookies.join("; ")}`],
    [`Cookie: ${cookies.join(";")}; e=f`, ...filling],
  ]) {
    const answer = await visit(proxy.port, "/", { headers });
    assert.equal(answer.status, 200, proxy.log());
    assert.equal(sessionCookie(answer), undefined);
    const arrival = takeOnly(application);
    assert.deepEqual(identityOf(arrival), identityHeadersOf(session));
    const forwarded = arrival.headers.filter(([name]) => name.toLowerCase() === "cookie");
    const length = forwarded.map(([, value]) => value).join().length;
    assert.ok(length > fields * 6000, "the application gets all");
  }
}
