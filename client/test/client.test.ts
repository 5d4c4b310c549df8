// runs: once

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { serve } from "../../server/test/support/in-process.ts";
import { oneServer } from "../../server/test/support/one-server.ts";
import { type Client, createClient, ProblemError } from "../src/client.ts";
import { handleOf } from "../src/session-id.ts";
import { createTransport, type Fetch } from "../src/transport.ts";
import { createWebStorage } from "./fake-browser.ts";
import { identified } from "./identified.ts";

const antechamber = oneServer();

/** Creates a `fetch` that collects its requests, such as `PUT /sessions/new`. */
function createCountingFetch() {
  const requests: string[] = [];
  const countingFetch: Fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    requests.push(`${init?.method ?? "GET"} ${url.pathname}`);
    return fetch(input, init);
  };
  const count = (request: string) => requests.filter((each) => each === request).length;
  return { fetch: countingFetch, requests, count };
}

async function paths(client: Client): Promise<string[]> {
  const { records } = await client.timeline({ limit: 1000 });
  return records.flatMap((entry) => (entry.type === "request" ? [entry.path] : []));
}

const page = (path: string) => ({ method: "GET", path });

test("twenty simultaneous calls of session() create one session", async () => {
  const { fetch: counting, count } = createCountingFetch();
  const client = createClient({ url: antechamber.url, storage: false, fetch: counting });
  const sessions = await Promise.all(Array.from({ length: 20 }, () => client.session()));
  assert.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, 1);
  assert.equal(count("PUT /sessions/new"), 1);
  await client.session();
  assert.equal(count(`GET /sessions/${sessions[0]?.sessionId}`), 0, "a fresh session is not requested again");
});

test("clients that share a storage share the session, even if they start at the same time", async () => {
  const storage = createWebStorage();
  const { fetch: counting, count } = createCountingFetch();
  const clients = Array.from({ length: 5 }, () => createClient({ url: antechamber.url, storage, fetch: counting }));
  const sessions = await Promise.all(clients.map((client) => client.session()));
  assert.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, 1);
  assert.equal(count("PUT /sessions/new"), 1);
});

test("a sign-in in one tab is visible in the others", async () => {
  const storage = createWebStorage();
  const one = createClient({ url: antechamber.url, storage });
  const other = createClient({ url: antechamber.url, storage });
  const before = await other.session();
  const { sessionId } = await identified(one, { customerId: "c" });
  const seen = await other.session();
  assert.deepEqual([seen.sessionId, seen.customerId], [sessionId, "c"]);
  assert.equal(handleOf(sessionId), handleOf(before.sessionId));
});

test("an expired session is replaced by the same new one in all tabs", async () => {
  await using server = await serve({ frozen: true });
  const storage = createWebStorage();
  const before = createClient({ url: server.url, storage });
  const { sessionId } = await before.session();
  server.pass(25 * 60 * 60 * 1000);
  const tabs = [1, 2, 3].map(() => createClient({ url: server.url, storage }));
  const after = await Promise.all(tabs.map((tab) => tab.session()));
  assert.equal(new Set(after.map((session) => session.sessionId)).size, 1);
  assert.notEqual(after[0]?.sessionId, sessionId);
});

test("the next person on the same computer gets a new session without the first person's visit", async () => {
  const client = createClient({ url: antechamber.url, storage: false });
  const first = await identified(client, { customerId: "anna", visitId: "v" });
  const again = await identified(client, { customerId: "anna" });
  assert.equal(again.sessionId, first.sessionId);
  const next = await identified(client, { customerId: "ben", visitId: "v" });
  assert.notEqual(next.sessionId, first.sessionId);
  assert.deepEqual([next.customerId, next.visitId], ["ben", null]);
  assert.equal((await client.session()).sessionId, next.sessionId);
});

test("records stay in the session of the person who made them", async () => {
  const client = createClient({ url: antechamber.url, storage: false });
  const first = await identified(client, { customerId: "anna" });
  client.record(page("/annas"));
  await client.identify({ customerId: "ben" });
  client.record(page("/bens"));
  assert.deepEqual(await paths(client), ["/bens"]);
  const annas = await createTransport({ url: antechamber.url }).timeline(first.sessionId);
  const recorded = annas.records.filter((entry) => entry.type === "request");
  assert.deepEqual(
    recorded.map((entry) => entry.path),
    ["/annas"],
  );
});

test("identifying a different visit is refused, and the error names the field", async () => {
  const client = createClient({ url: antechamber.url, storage: false });
  await client.identify({ visitId: "v1" });
  await assert.rejects(client.identify({ visitId: "v2" }), (error) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.code, "already-exists");
    return error.problem?.field === "visitId";
  });
});

test("after a reset the visitor gets a new, anonymous session", async () => {
  const client = createClient({ url: antechamber.url, storage: false });
  const { sessionId } = await identified(client, { customerId: "c" });
  client.reset();
  const next = await client.session();
  assert.notEqual(next.sessionId, sessionId);
  assert.equal(next.state, "anonymous");
});

test("a visitor whose session has expired can sign in", async () => {
  await using server = await serve({ frozen: true });
  const client = createClient({ url: server.url, storage: false });
  await client.session();
  server.pass(25 * 60 * 60 * 1000);
  assert.equal((await identified(client, { customerId: "c" })).customerId, "c");
});

test("records are sent in batches, in order", async () => {
  const { fetch: counting, requests } = createCountingFetch();
  const client = createClient({ url: antechamber.url, storage: false, fetch: counting });
  const { sessionId } = await client.session();
  const all = Array.from({ length: 120 }, (_, n) => page(`/${n}`));
  for (const record of all) client.record(record);
  assert.deepEqual(
    await paths(client),
    all.map(({ path }) => path),
  );
  const sent = requests.filter((each) => each === `POST /sessions/${sessionId}/requests`);
  assert.ok(sent.length <= 3, `${sent.length} requests`);
});

test("one refused record does not prevent the others from being recorded", async () => {
  const lost: number[] = [];
  const onError = (_: unknown, count: number) => void lost.push(count);
  const client = createClient({ url: antechamber.url, storage: false, onError });
  client.record([page("/1"), page("no path"), page("/2")]);
  assert.deepEqual(await paths(client), ["/1", "/2"]);
  assert.deepEqual(lost, [1]);
});

test("records of an expired session are recorded in the session that replaces it", async () => {
  await using server = await serve({ frozen: true });
  const client = createClient({ url: server.url, storage: false });
  await client.session();
  server.pass(25 * 60 * 60 * 1000);
  client.record([page("/1"), page("/2")]);
  assert.deepEqual(await paths(client), ["/1", "/2"]);
});

test("records made during an outage are recorded once, after it", async () => {
  let isDown = false;
  const failing: Fetch = (input, init) => (isDown ? Promise.reject(new TypeError("down")) : fetch(input, init));
  const client = createClient({ url: antechamber.url, storage: false, fetch: failing });
  await client.session();
  isDown = true;
  client.record(page("/1"));
  await assert.rejects(client.flush(), { code: "network" });
  client.record(page("/2"));
  isDown = false;
  assert.deepEqual(await paths(client), ["/1", "/2"]);
});

test("records whose response was lost are recorded once, and later ones after them", async () => {
  let isLosing = false;
  const losing: Fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (isLosing) throw new TypeError("lost");
    return response;
  };
  const client = createClient({ url: antechamber.url, storage: false, fetch: losing });
  await client.session();
  isLosing = true;
  client.record(page("/1"));
  await assert.rejects(client.flush(), { code: "network" });
  client.record(page("/2"));
  isLosing = false;
  assert.deepEqual(await paths(client), ["/1", "/2"]);
});

/** Starts a site; `seen` collects the session header of each request. */
async function openSite(respond: (request: IncomingMessage, response: ServerResponse) => void) {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const header = request.headers["gkc-sessionid"];
    seen.push(Array.isArray(header) ? header.join() : header);
    respond(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("fetch sends the session to allowed origins and to no others", async () => {
  await using site = await openSite((_, response) => response.end());
  await using stranger = await openSite((_, response) => response.end());
  const client = createClient({ url: antechamber.url, storage: false, origins: [site.url] });
  await (await client.fetch(site.url)).text();
  await (await client.fetch(stranger.url)).text();
  assert.deepEqual(site.seen, [(await client.session()).sessionId]);
  assert.deepEqual(stranger.seen, [undefined]);
});

test("fetch adopts the session that the site's response names", async () => {
  const given = await createTransport({ url: antechamber.url }).create();
  await using site = await openSite((request, response) => {
    response.setHeader("gkc-sessionId", given.sessionId);
    response.setHeader("gkc-replaces", String(request.headers["gkc-sessionid"]).slice(0, 24));
    response.end();
  });
  const client = createClient({ url: antechamber.url, storage: false, origins: [site.url] });
  await (await client.fetch(site.url)).text();
  assert.equal((await client.session()).sessionId, given.sessionId);
});

test("fetch retries a PUT with its body after a lost connection, but no POST", async () => {
  const bodies: string[] = [];
  await using site = await openSite((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      bodies.push(`${request.method} ${body}`);
      if (bodies.length % 2 === 1) request.socket.destroy();
      else response.end("done");
    });
  });
  const client = createClient({ url: antechamber.url, storage: false, origins: [site.url] });
  const put = await client.fetch(site.url, { method: "PUT", body: "b" });
  assert.equal(await put.text(), "done");
  assert.deepEqual(bodies, ["PUT b", "PUT b"]);
  await assert.rejects(client.fetch(site.url, { method: "POST", body: "b" }));
  assert.equal(bodies.length, 3);
});

test("the site's requests continue while the service does not respond", async () => {
  await using site = await openSite((_, response) => response.end("fine"));
  const hanging: Fetch = (input, init) =>
    input instanceof Request
      ? fetch(input)
      : new Promise((_, reject) => {
          init?.signal?.addEventListener("abort", () => reject(new Error("gave up")));
        });
  const options = {
    url: "http://127.0.0.1:9",
    storage: false,
    origins: [site.url],
    timeout: 2000,
  } as const;
  const client = createClient({ ...options, fetch: hanging });
  const start = performance.now();
  for (let n = 0; n < 100; n++) assert.equal(await (await client.fetch(site.url)).text(), "fine");
  // One request in five seconds waits, for a second.
  assert.ok(performance.now() - start < 60_000, "not every request waited");
  await assert.rejects(client.session(), { code: "timeout" });
});

test("data of the session are merged and replaced, and follow the session to its next id", async () => {
  const storage = createWebStorage();
  const [one, other] = [
    createClient({ url: antechamber.url, storage }),
    createClient({ url: antechamber.url, storage }),
  ];
  interface Data {
    readonly cart?: Readonly<Record<string, number>>;
    readonly locale?: string;
  }
  assert.deepEqual((await one.data<Data>()).data, {});
  await Promise.all([one.update<Data>({ cart: { a: 1 } }), other.update<Data>({ locale: "de" })]);
  await identified(other, { customerId: "c" });
  const { data, etag } = await one.data<Data>();
  assert.deepEqual(data, { cart: { a: 1 }, locale: "de" });
  await other.update<Data>({ locale: null });
  const isOutdated = (error: unknown) => error instanceof ProblemError && error.code === "precondition-failed";
  await assert.rejects(one.replace<Data>({}, { ifMatch: etag }), isOutdated);
  assert.deepEqual((await one.replace<Data>({ locale: "fr" })).data, { locale: "fr" });
});

test("data of a session that has expired go into the visitor's next session", async () => {
  await using server = await serve({ frozen: true });
  const client = createClient({ url: server.url, storage: false });
  const { sessionId } = await client.session();
  await client.update({ step: 1 });
  server.pass(60 * 60_000);
  assert.deepEqual((await client.update({ step: 2 })).data, { step: 2 });
  assert.notEqual((await client.session()).sessionId, sessionId);
  assert.deepEqual((await client.data()).data, { step: 2 });
});
