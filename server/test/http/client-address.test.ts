import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "@antechamber/http1";
import { createClientAddress } from "../../src/http/auth/client-address.ts";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";

const proxies = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map((text) => parseRange(text));
const subscriberTo = (listed: readonly AddressRange[] | undefined) => {
  const clientOf = createClientAddress(listed);
  return (request: HttpRequest) => clientOf(request).subscriber;
};
const behindProxies = subscriberTo(proxies as AddressRange[]);
const direct = subscriberTo([]);

function from(peer: string, headers: Readonly<Record<string, string>> = {}) {
  return {
    method: "GET",
    path: "/",
    query: "",
    peer,
    header: (name: string) => headers[name] ?? null,
    hasBody: false,
    body: async () => new Uint8Array(),
    onEnd: () => undefined,
  };
}

const forwardedFor = (list: string) => ({ "x-forwarded-for": list });
const forwarded = (list: string) => ({ forwarded: list });

test("without trusted proxies the peer is the client, whatever its headers contain", () => {
  const lies = { ...forwardedFor("192.0.2.1"), ...forwarded("for=192.0.2.2") };
  for (const headers of [{}, lies]) {
    assert.equal(direct(from("203.0.113.9", headers)), "203.0.113.9");
    assert.equal(direct(from("::ffff:203.0.113.9", headers)), "203.0.113.9");
    assert.equal(behindProxies(from("203.0.113.9", headers)), "203.0.113.9");
  }
});

test("addresses of this machine itself are not rate limited", () => {
  for (const peer of ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"]) {
    assert.equal(direct(from(peer)), undefined);
    assert.equal(behindProxies(from(peer)), undefined);
  }
});

test("peers without an address count as one client, except on a Unix socket", () => {
  assert.equal(direct(from("")), "unknown");
  assert.equal(behindProxies(from("", forwardedFor("192.0.2.1"))), "unknown");
  assert.equal(subscriberTo(undefined)(from("")), undefined);
});

test("IPv6 addresses with the same first 64 bits count as one client", () => {
  for (const peer of ["2001:db8:1:2::1", "2001:db8:1:2:ffff:1:2:3"]) {
    assert.equal(direct(from(peer)), "2001:db8:1:2");
  }
  assert.equal(direct(from("2001:db8:1:3::1")), "2001:db8:1:3");
  assert.equal(behindProxies(from("10.1.1.1", forwardedFor("2001:db8:1:2::9"))), "2001:db8:1:2");
});

test("a proxy can report its client in either header", () => {
  const cases: [Readonly<Record<string, string>>, string][] = [
    [forwardedFor("192.0.2.1"), "192.0.2.1"],
    [forwardedFor("192.0.2.1:4711"), "192.0.2.1"],
    [forwardedFor("[2001:db8::1]:4711"), "2001:db8:0:0"],
    [forwardedFor("::ffff:192.0.2.1"), "192.0.2.1"],
    [forwarded("for=192.0.2.1"), "192.0.2.1"],
    [forwarded('proto=https; For="192.0.2.1:4711" ;by=10.0.0.1'), "192.0.2.1"],
    [forwarded('for="[2001:db8::1]:4711"'), "2001:db8:0:0"],
    [{ ...forwardedFor("192.0.2.1"), ...forwarded("for=192.0.2.1") }, "192.0.2.1"],
  ];
  for (const [headers, client] of cases) {
    for (const peer of ["10.9.9.9", "127.0.0.1", "fd00::1"]) {
      assert.equal(behindProxies(from(peer, headers)), client, JSON.stringify(headers));
    }
  }
});

test("entries to the left of the first address that is not a proxy are ignored", () => {
  const lists = [
    "192.0.2.1",
    "198.51.100.1, 192.0.2.1",
    "127.0.0.1, 192.0.2.1",
    "198.51.100.1,192.0.2.1 , 10.1.1.1,10.2.2.2",
    ", , 192.0.2.1",
    'junk, "for=x, 192.0.2.1, 10.1.1.1',
  ];
  for (const list of lists) {
    assert.equal(behindProxies(from("10.9.9.9", forwardedFor(list))), "192.0.2.1", list);
    const elements = list.split(",").map((entry) => `for=${entry.trim()}`);
    assert.equal(behindProxies(from("10.9.9.9", forwarded(elements.join(",")))), "192.0.2.1", list);
  }
});

test("a proxy that reports no client counts as the client", () => {
  for (const list of ["", "unknown", "_hidden", "192.0.2.1.5", "for=", "<script>", "192.0.2.1, junk"]) {
    assert.equal(behindProxies(from("10.9.9.9", forwardedFor(list))), "10.9.9.9", list);
    assert.equal(behindProxies(from("10.9.9.9", forwarded(list))), "10.9.9.9", list);
  }
  assert.equal(behindProxies(from("10.9.9.9")), "10.9.9.9");
  assert.equal(behindProxies(from("10.9.9.9", forwardedFor("10.1.1.1, 10.2.2.2"))), "10.1.1.1");
});

test("on a Unix socket every peer is a trusted proxy", () => {
  const onSocket = subscriberTo(undefined);
  assert.equal(onSocket(from("", forwardedFor("198.51.100.1, 192.0.2.1"))), "192.0.2.1");
  assert.equal(onSocket(from("", forwarded("for=192.0.2.1"))), "192.0.2.1");
  assert.equal(onSocket(from("")), undefined);
});

test("if both headers are present but differ, the proxy counts as the client", () => {
  const headers = { ...forwardedFor("192.0.2.1"), ...forwarded("for=198.51.100.1") };
  assert.equal(behindProxies(from("10.9.9.9", headers)), "10.9.9.9");
});

test("the audit trail has whole addresses, even that of this machine", () => {
  const told = createClientAddress(proxies as AddressRange[]);
  const cases: [peer: string, headers: Readonly<Record<string, string>>, address: string][] = [
    ["127.0.0.1", {}, "127.0.0.1"],
    ["::ffff:127.0.0.1", {}, "127.0.0.1"],
    ["::1", forwardedFor("192.0.2.1"), "::1"],
    ["10.9.9.9", forwardedFor("2001:db8:0:0:0:0:2:1"), "2001:db8::2:1"],
    ["10.9.9.9", forwarded('for="[2001:DB8::2:1]:4711"'), "2001:db8::2:1"],
    ["10.9.9.9", forwardedFor("unknown"), "10.9.9.9"],
    ["203.0.113.9", forwardedFor("192.0.2.1"), "203.0.113.9"],
    ["", forwardedFor("192.0.2.1"), "unknown"],
  ];
  for (const [peer, headers, address] of cases) {
    assert.equal(told(from(peer, headers)).address, address, `${peer} ${JSON.stringify(headers)}`);
  }
  assert.equal(createClientAddress(undefined)(from("")).address, "unix socket");
});

test("the longest possible header is read quickly", () => {
  const long = { ...forwardedFor("10.1.1.1,".repeat(1800)), ...forwarded("for=;".repeat(3000)) };
  const brackets = forwardedFor(`${"[".repeat(8000)}${":1".repeat(4000)}`);
  let fastest = Number.POSITIVE_INFINITY;
  // The fastest of many, because a busy machine interrupts some of them.
  for (let i = 0; i < 40; i++) {
    const startedAt = performance.now();
    behindProxies(from("10.9.9.9", long));
    behindProxies(from("10.9.9.9", brackets));
    fastest = Math.min(fastest, performance.now() - startedAt);
  }
  assert.ok(fastest < 50, `${fastest} ms`);
});
