import assert from "node:assert/strict";
import { test } from "node:test";
import { isInRanges, isLoopbackAddress, parseAddress, parseRange } from "../../src/network/addresses.ts";

test("all notations of an address are equal", () => {
  const forms = [
    ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203", "0:0:0:0:0:FFFF:10.1.2.3"],
    ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8::0001"],
    ["::", "0:0:0:0:0:0:0:0", "0::0"],
    ["::1", "0:0:0:0:0:0:0:1"],
    ["fe80::1", "fe80::1%eth0"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ];
  for (const [first = "", ...others] of forms) {
    const address = parseAddress(first);
    assert.equal(address?.length, 8, first);
    for (const other of others) assert.deepEqual(parseAddress(other), address, other);
  }
});

test("texts that are not addresses are not parsed", () => {
  const texts = ["", " ", "10.0.0", "10.0.0.256", "010.0.0.1", "1::2::3", "12345::", "[::1]"];
  for (const text of [...texts, "::1 ", "10.0.0.1:80", "localhost", "unknown", "10.0.0.1/8"]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("a range contains exactly the addresses with its prefix", () => {
  const cases: [range: string, within: string[], outside: string[]][] = [
    ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.9.9.9"], ["11.0.0.0", "9.255.255.255"]],
    ["192.168.4.0/22", ["192.168.4.0", "192.168.7.255"], ["192.168.3.255", "192.168.8.0"]],
    ["192.0.2.7", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8", "::192.0.2.7"]],
    ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1", "2001:db8::1"]],
    ["2001:db8::/33", ["2001:db8::", "2001:db8:7fff::1"], ["2001:db8:8000::", "2001:db9::"]],
    ["fd00::/8", ["fd00::", "fdff::1", "fd12:3456::1%eth0"], ["fe00::", "10.0.0.1"]],
    ["::1/128", ["::1"], ["::2", "127.0.0.1"]],
    ["::/0", ["::", "2001:db8::1", "10.0.0.1"], []],
  ];
  for (const [text, within, outside] of cases) {
    const range = parseRange(text);
    assert.ok(range, text);
    const isIn = (address: string) => isInRanges(parseAddress(address) ?? [], [range]);
    for (const address of within) assert.ok(isIn(address), `${address} in ${text}`);
    for (const address of outside) assert.ok(!isIn(address), `${address} not in ${text}`);
  }
});

test("texts that are not ranges, and ranges with bits after the prefix, are not parsed", () => {
  const texts = ["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8"];
  for (const text of [...texts, "10.0.0.1/8", "2001:db8::1/64", "fe80::1%eth0/64", "10.0.0.0/x"]) {
    assert.equal(parseRange(text), undefined, text);
  }
});

test("an empty list of ranges contains no address", () => {
  assert.equal(isInRanges(parseAddress("10.0.0.1") ?? [], []), false);
});

test("loopback addresses are recognized in every notation", () => {
  for (const own of ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"]) {
    assert.ok(isLoopbackAddress(parseAddress(own) ?? []), own);
  }
  for (const other of ["128.0.0.1", "::2", "10.0.0.1", "::127.0.0.1"]) {
    assert.ok(!isLoopbackAddress(parseAddress(other) ?? []), other);
  }
});
