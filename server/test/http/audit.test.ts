// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditPage } from "@antechamber/client/protocol";
import type { Config } from "../../src/config/config.ts";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import { createApi } from "../support/api.ts";
import { serve, unlimited } from "../support/in-process.ts";
import { askSocket } from "../support/raw-http.ts";
import { MINUTE } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const rangesOf = (...texts: string[]) => texts.map((text) => parseRange(text) as AddressRange);
const forwardedFor = (list: string) => ({ "x-forwarded-for": list });

/** Starts a server, sends requests with these headers, and returns the addresses in its audit trail. */
async function addressesInTrail(
  config: Partial<Config>,
  sent: readonly Readonly<Record<string, string>>[],
): Promise<string[]> {
  await using server = await serve({ config });
  const api = createApi(server.url);
  for (const headers of sent) {
    const answer = await api.call("POST", "/sessions/end", { headers, json: { all: true } });
    assert.equal(answer.status, 200, answer.text);
  }
  const page = JSON.parse((await api.call("GET", "/audit")).text) as AuditPage;
  return page.entries.map(({ from }) => from).toReversed();
}

const limited = { ...unlimited, requests: { count: 1000, period: MINUTE } };

for (const perAddress of [unlimited, limited]) {
  const suffix = perAddress === limited ? "with limits" : "without limits";

  test(`behind a trusted proxy the audit trail has the client's address, ${suffix}`, async () => {
    const trustedProxies = rangesOf("127.0.0.1", "10.0.0.0/8");
    const addresses = await addressesInTrail({ trustedProxies, perAddress }, [
      forwardedFor("198.51.100.7, 192.0.2.1"),
      forwardedFor("192.0.2.1:4711, 10.1.1.1"),
      { forwarded: 'for="[2001:DB8:0:0:0:0:2:1]:4711";proto=https' },
      { ...forwardedFor("192.0.2.1"), forwarded: "for=192.0.2.2" },
      forwardedFor("unknown"),
      {},
    ]);
    const itself = "127.0.0.1";
    assert.deepEqual(addresses, ["192.0.2.1", "192.0.2.1", "2001:db8::2:1", itself, itself, itself]);
  });

  test(`client addresses from a peer that is not a trusted proxy are ignored, ${suffix}`, async () => {
    for (const trustedProxies of [[], rangesOf("10.0.0.0/8")]) {
      const addresses = await addressesInTrail({ trustedProxies, perAddress }, [
        forwardedFor("192.0.2.1"),
        { forwarded: "for=192.0.2.1" },
      ]);
      assert.deepEqual(addresses, ["127.0.0.1", "127.0.0.1"]);
    }
  });
}

test("over a Unix socket the audit trail has the address that the proxy sends, or `unix socket`", async () => {
  await using folder = temporaryDirectory();
  const path = `${folder.path}/http.sock`;
  await using server = await serve({ config: { socket: { path, mode: 0o600 } } });
  assert.equal(server.url, `unix:${path}`);
  for (const headers of [forwardedFor("192.0.2.1"), { forwarded: "for=192.0.2.2" }, {}]) {
    const answer = await askSocket(path, "DELETE", "/customers/nobody", headers);
    assert.equal(answer.status, 200, answer.body);
  }
  const page = JSON.parse((await askSocket(path, "GET", "/audit")).body) as AuditPage;
  const done = page.entries.filter(({ outcome }) => outcome === "done").toReversed();
  assert.deepEqual(
    done.map(({ from }) => from),
    ["192.0.2.1", "192.0.2.2", "unix socket"],
  );
});
