// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { handleOf } from "../../server/src/session/id.ts";
import { oneServer } from "../../server/test/support/one-server.ts";
import { createVisitorClient } from "../src/visitor-client.ts";
import { type BrowserOptions, openBrowser } from "./fake-browser.ts";
import { identified } from "./identified.ts";

const antechamber = oneServer();

const storages: readonly BrowserOptions["storage"][] = ["full", "mute", "blocked"];

for (const storage of storages) {
  for (const locks of [true, false]) {
    for (const cookie of [true, false]) {
      const name = `${storage}, ${locks ? "with" : "without"} Web Locks, ${cookie ? "with" : "without"} a cookie`;
      test(`a page has one session if the storage is ${name}`, async () => {
        const page = openBrowser({ storage, locks }).openTab();
        const client = createVisitorClient(page, { url: antechamber.url, cookie });
        const sessions = [await client.session(), await client.session(), await client.session()];
        assert.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, 1);
        const signedIn = await identified(client, { customerId: "c" });
        // The same session, with a new id.
        assert.notEqual(signedIn.sessionId, sessions[0]?.sessionId);
        assert.equal(handleOf(signedIn.sessionId), handleOf(sessions[0]?.sessionId ?? ""));
        assert.equal((await client.session()).customerId, "c");
        client.reset();
        const next = await client.session();
        assert.notEqual(next.sessionId, signedIn.sessionId);
        assert.equal((await client.session()).sessionId, next.sessionId);
        await client.close();
      });
    }
  }
}

test("a page keeps its session when the storage begins to fail", async () => {
  const page = openBrowser({ storage: "works", locks: false }).openTab();
  const client = createVisitorClient(page, { url: antechamber.url, cookie: false });
  const { sessionId } = await client.session();
  const fail = () => {
    throw new DOMException("no", "SecurityError");
  };
  Object.assign(page.localStorage ?? {}, { getItem: fail, setItem: fail, removeItem: fail });
  assert.equal((await client.session()).sessionId, sessionId);
  await client.identify({ customerId: "c" });
  assert.equal((await client.session()).customerId, "c");
  client.reset();
  assert.notEqual((await client.session()).sessionId, sessionId);
  await client.close();
});

test("in a full storage the next person's session replaces the previous one", async () => {
  const page = openBrowser({ storage: "works", locks: true }).openTab();
  const options = { url: antechamber.url, cookie: false };
  const client = createVisitorClient(page, options);
  await client.identify({ customerId: "first" });
  const storage = page.localStorage;
  assert.ok(storage);
  const setItem = storage.setItem.bind(storage);
  storage.setItem = (name, value) => {
    if (value.length > (storage.getItem(name)?.length ?? 0)) throw new DOMException("full", "QuotaExceededError");
    setItem(name, value);
  };
  for (const customerId of ["second", "third", "fourth", "fifth", "sixth", "seventh"]) {
    await client.identify({ customerId });
    const reloaded = createVisitorClient(page, options);
    assert.equal((await reloaded.session()).customerId, customerId);
    await reloaded.close();
  }
  await client.close();
});
