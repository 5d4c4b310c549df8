import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { serve } from "../../server/test/support/in-process.ts";
import { type Client, createClient, ProblemError } from "../src/client.ts";
import type { SessionStorage } from "../src/page.ts";
import { createTransport, type Fetch } from "../src/transport.ts";

/** A storage as several tabs share it. */
function sharedStorage(): SessionStorage {
  const entries = new Map<string, string>();
  return {
    getItem: (name) => entries.get(name) ?? null,
    setItem: (name, value) => void entries.set(name, value),
    removeItem: (name) => void entries.delete(name),
  };
}

/** `fetch`, and the requests made by it so far, such as `PUT /sessions/new`. */
function watched() {
  const requests: string[] = [];
  const watchedFetch: Fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    requests.push(`${init?.method ?? "GET"} ${url.pathname}`);
    return fetch(input, init);
  };
  const count = (request: string) => requests.filter((each) => each === request).length;
  return { fetch: watchedFetch, requests, count };
}

async function paths(client: Client): Promise<string[]> {
  const { records } = await client.timeline({ limit: 1000 });
  return records.flatMap((entry) => (entry.type === "request" ? [entry.path] : []));
}

const page = (path: string) => ({ method: "GET", path });

test("however many ask, one session is made", async () => {
  await using server = await serve();
  const { fetch: counting, count } = watched();
  const client = createClient({ url: server.url, storage: false, fetch: counting });
  const sessions = await Promise.all(Array.from({ length: 20 }, () => client.session()));
  assert.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, 1);
  assert.equal(count("PUT /sessions/new"), 1);
  await client.session();
  assert.equal(count(`GET /sessions/${sessions[0]?.sessionId}`), 0, "what is fresh is not asked");
});

test("clients that share a storage share the session, also when they start at once", async () => {
  await using server = await serve();
  const storage = sharedStorage();
  const { fetch: counting, count } = watched();
  const clients = Array.from({ length: 5 }, () =>
    createClient({ url: server.url, storage, fetch: counting }),
  );
  const sessions = await Promise.all(clients.map((client) => client.session()));
  assert.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, 1);
  assert.equal(count("PUT /sessions/new"), 1);
});

test("what one tab identifies, the others see", async () => {
  await using server = await serve();
  const storage = sharedStorage();
  const one = createClient({ url: server.url, storage });
  const other = createClient({ url: server.url, storage });
  const { sessionId } = await other.session();
  await one.identify({ customerId: "c" });
  const seen = await other.session();
  assert.deepEqual([seen.sessionId, seen.customerId], [sessionId, "c"]);
});

test("an expired session is replaced, in all tabs by the same one", async () => {
  await using server = await serve({ frozen: true });
  const storage = sharedStorage();
  const before = createClient({ url: server.url, storage });
  const { sessionId } = await before.session();
  server.pass(25 * 60 * 60 * 1000);
  const tabs = [1, 2, 3].map(() => createClient({ url: server.url, storage }));
  const after = await Promise.all(tabs.map((tab) => tab.session()));
  assert.equal(new Set(after.map((session) => session.sessionId)).size, 1);
  assert.notEqual(after[0]?.sessionId, sessionId);
});

test("the next person on the same computer gets a new session, without the other's visit", async () => {
  await using server = await serve();
  const client = createClient({ url: server.url, storage: false });
  const first = await client.identify({ customerId: "anna", visitId: "v" });
  const again = await client.identify({ customerId: "anna" });
  assert.equal(again.sessionId, first.sessionId);
  const next = await client.identify({ customerId: "ben", visitId: "v" });
  assert.notEqual(next.sessionId, first.sessionId);
  assert.deepEqual([next.customerId, next.visitId], ["ben", null]);
  assert.equal((await client.session()).sessionId, next.sessionId);
});

test("records stay with the person who was there", async () => {
  await using server = await serve();
  const client = createClient({ url: server.url, storage: false });
  const first = await client.identify({ customerId: "anna" });
  client.record(page("/annas"));
  await client.identify({ customerId: "ben" });
  client.record(page("/bens"));
  assert.deepEqual(await paths(client), ["/bens"]);
  const annas = await createTransport({ url: server.url }).timeline(first.sessionId);
  const recorded = annas.records.filter((entry) => entry.type === "request");
  assert.deepEqual(
    recorded.map((entry) => entry.path),
    ["/annas"],
  );
});

test("a different visit is refused with its field", async () => {
  await using server = await serve();
  const client = createClient({ url: server.url, storage: false });
  await client.identify({ visitId: "v1" });
  await assert.rejects(client.identify({ visitId: "v2" }), (error) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.code, "already-exists");
    return error.problem?.field === "visitId";
  });
});

test("after a reset comes a new session", async () => {
  await using server = await serve();
  const client = createClient({ url: server.url, storage: false });
  const { sessionId } = await client.identify({ customerId: "c" });
  client.reset();
  const next = await client.session();
  assert.notEqual(next.sessionId, sessionId);
  assert.equal(next.state, "anonymous");
});

test("signing in after the session has expired works", async () => {
  await using server = await serve({ frozen: true });
  const client = createClient({ url: server.url, storage: false });
  await client.session();
  server.pass(25 * 60 * 60 * 1000);
  assert.equal((await client.identify({ customerId: "c" })).customerId, "c");
});

test("records go out in batches, in order", async () => {
  await using server = await serve();
  const { fetch: counting, requests } = watched();
  const client = createClient({ url: server.url, storage: false, fetch: counting });
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

test("a refused record does not take the others with it", async () => {
  await using server = await serve();
  const lost: number[] = [];
  const onError = (_: unknown, count: number) => void lost.push(count);
  const client = createClient({ url: server.url, storage: false, onError });
  client.record([page("/1"), page("no path"), page("/2")]);
  assert.deepEqual(await paths(client), ["/1", "/2"]);
  assert.deepEqual(lost, [1]);
});

test("records of an expired session go to the one that follows it", async () => {
  await using server = await serve({ frozen: true });
  const client = createClient({ url: server.url, storage: false });
  await client.session();
  server.pass(25 * 60 * 60 * 1000);
  client.record([page("/1"), page("/2")]);
  assert.deepEqual(await paths(client), ["/1", "/2"]);
});

test("while the service is away records are kept, and sent once when it is back", async () => {
  await using server = await serve();
  let isAway = false;
  const away: Fetch = (input, init) =>
    isAway ? Promise.reject(new TypeError("away")) : fetch(input, init);
  const client = createClient({ url: server.url, storage: false, fetch: away });
  await client.session();
  isAway = true;
  client.record(page("/1"));
  await assert.rejects(client.flush(), { code: "network" });
  client.record(page("/2"));
  isAway = false;
  assert.deepEqual(await paths(client), ["/1", "/2"]);
});

/** A site of the test's own, with the requests that came. */
async function openSite(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const header = request.headers["gkc-sessionid"];
    seen.push(Array.isArray(header) ? header.join() : header);
    answer(request, response);
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

test("fetch tells the session to allowed origins and to nobody else", async () => {
  await using server = await serve();
  await using site = await openSite((_, response) => response.end());
  await using stranger = await openSite((_, response) => response.end());
  const client = createClient({ url: server.url, storage: false, origins: [site.url] });
  await (await client.fetch(site.url)).text();
  await (await client.fetch(stranger.url)).text();
  assert.deepEqual(site.seen, [(await client.session()).sessionId]);
  assert.deepEqual(stranger.seen, [undefined]);
});

test("fetch takes over the session that an answer names", async () => {
  await using server = await serve();
  const given = await createTransport({ url: server.url }).create();
  await using site = await openSite((request, response) => {
    response.setHeader("gkc-sessionId", given.sessionId);
    response.setHeader("gkc-replaces", String(request.headers["gkc-sessionid"]).slice(0, 24));
    response.end();
  });
  const client = createClient({ url: server.url, storage: false, origins: [site.url] });
  await (await client.fetch(site.url)).text();
  assert.equal((await client.session()).sessionId, given.sessionId);
});

test("fetch repeats what may be repeated, with its body, and nothing else", async () => {
  await using server = await serve();
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
  const client = createClient({ url: server.url, storage: false, origins: [site.url] });
  const put = await client.fetch(site.url, { method: "PUT", body: "b" });
  assert.equal(await put.text(), "done");
  assert.deepEqual(bodies, ["PUT b", "PUT b"]);
  await assert.rejects(client.fetch(site.url, { method: "POST", body: "b" }));
  assert.equal(bodies.length, 3);
});

test("the service being down does not stop the site's requests", async () => {
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
  for (let n = 0; n < 3; n++) assert.equal(await (await client.fetch(site.url)).text(), "fine");
  assert.ok(performance.now() - start < 2000, "only the first request waited");
  await assert.rejects(client.session(), { code: "timeout" });
});
