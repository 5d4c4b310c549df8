import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../../src/network/addresses.ts";
import {
  faultOfReceiverUrl,
  isAllowedAddress,
  isPublicAddress,
  parseAllowedHosts,
} from "../../src/network/receivers.ts";

const nothing = parseAllowedHosts([]);
const notPublic = "has an address that is not public: list it in webhookAllowedHosts";
const plain = "is not https: http is for this machine and for the hosts in webhookAllowedHosts";

function isPublic(text: string): boolean {
  const address = parseAddress(text);
  assert.ok(address !== undefined, text);
  return isPublicAddress(address);
}

test("only unicast addresses of the Internet are public", () => {
  for (const text of ["8.8.8.8", "1.1.1.1", "172.32.0.1", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450::5"]) {
    assert.ok(isPublic(text), text);
  }
  const inner = [
    ...["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1"],
    ...["192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"],
    ...["255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"],
    ...["64:ff9b:1::a00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "fc00::1", "fd12::1", "fe80::1"],
    ...["fe80::1%eth0", "fec0::1", "ff02::1", "3fff::1", "5f00::1", "4000::1"],
  ];
  for (const text of inner) assert.ok(!isPublic(text), text);
});

test("URLs are https, or http to this machine, without a user, a password or a fragment", () => {
  const fault = (url: string) => faultOfReceiverUrl(url, nothing);
  for (const url of ["https://example.com/hook?token=1", "https://8.8.8.8:8443/", "http://localhost:3000/h"]) {
    assert.equal(fault(url), undefined, url);
  }
  for (const url of ["http://127.0.0.1:3000/", "http://[::1]/", "https://127.1/", "http://app.localhost./"]) {
    assert.equal(fault(url), undefined, url);
  }
  assert.equal(fault("http://example.com/"), plain);
  assert.equal(fault("http://8.8.8.8/"), plain);
  for (const url of ["", "example.com", "ftp://example.com", "https://", "https://exa mple.com", "https://a\n.com"]) {
    assert.equal(fault(url), "is not a complete URL that begins with https:// or http://", url);
  }
  assert.match(fault("https://user:secret@example.com/") ?? "", /^has a user or a password/);
  assert.match(fault("https://example.com/#top") ?? "", /fragment/);
  assert.match(fault(`https://example.com/${"x".repeat(2048)}`) ?? "", /longer/);
});

test("addresses in a URL are refused in every spelling unless they are public or listed", () => {
  const spellings = [
    ...["10.0.0.1", "0x0a000001", "167772161", "012.0.0.1", "10.1", "[::ffff:10.0.0.1]", "[::ffff:a00:1]"],
    ...["169.254.169.254", "0.0.0.0", "0", "[::]", "[fe80::1]", "[fd00::1]", "[64:ff9b::10.0.0.1]", "[::127.0.0.1]"],
  ];
  for (const host of spellings) assert.equal(faultOfReceiverUrl(`https://${host}/`, nothing), notPublic, host);
  const listed = parseAllowedHosts(["10.0.0.0/8", "fd00::/8"]);
  for (const host of spellings.slice(0, 7)) {
    for (const scheme of ["http", "https"]) {
      assert.equal(faultOfReceiverUrl(`${scheme}://${host}/`, listed), undefined, host);
    }
  }
  assert.equal(faultOfReceiverUrl("https://192.168.0.1/", listed), notPublic);
});

test("a name that is listed may be plain http, and any other name is decided by the address that it leads to", () => {
  const byName = parseAllowedHosts(["Receiver.internal"]);
  assert.equal(faultOfReceiverUrl("http://receiver.internal:8080/", byName), undefined);
  assert.equal(faultOfReceiverUrl("http://other.internal/", byName), plain);
  const byRange = parseAllowedHosts(["10.0.0.0/8"]);
  assert.equal(faultOfReceiverUrl("http://other.internal/", byRange), undefined);

  const allowed = (address: string, host: string, protocol: string, hosts = nothing) =>
    isAllowedAddress(parseAddress(address) ?? [], host, protocol, hosts);
  assert.ok(allowed("8.8.8.8", "example.com", "https:"));
  assert.ok(!allowed("8.8.8.8", "example.com", "http:"));
  assert.ok(!allowed("127.0.0.1", "example.com", "https:"));
  assert.ok(!allowed("10.0.0.1", "localhost", "http:"), "localhost that leads elsewhere");
  assert.ok(allowed("127.0.0.1", "localhost", "http:"));
  assert.ok(allowed("10.1.1.1", "other.internal", "http:", byRange));
  assert.ok(!allowed("192.168.1.1", "other.internal", "http:", byRange));
  assert.ok(!allowed("8.8.8.8", "other.internal", "http:", byRange));
  assert.ok(allowed("192.168.1.1", "receiver.internal", "http:", byName));
});
