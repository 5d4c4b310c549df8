import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import type { EventInfo } from "@antechamber/client/protocol";
import { handleOf } from "../../src/session/id.ts";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { openEvents } from "../support/event-streams.ts";
import { until } from "../support/eventually.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { apiOf, holders, serveKeys } from "../support/key-holders.ts";
import { exchange, openConnection, requestText } from "../support/raw-http.ts";
import { newSession } from "../support/records.ts";
import { SECOND } from "../support/sessions.ts";

let server: TestServer;
before(async () => {
  server = await serveKeys(holders);
});
after(() => server[Symbol.asyncDispose]());

const service = () => apiOf(server, holders.service);
const admin = () => apiOf(server, holders.administrator);
const as = (holder: keyof typeof holders) => ({ authorization: holders[holder].bearer });
const open = (query = "", headers: Readonly<Record<string, string>> = as("service")) =>
  openEvents(server.url, query, headers);
const lines = { accept: "application/x-ndjson" };
const of = (customerId: string) => ({ headers: { "gkc-customerId": customerId } });
const linesIn = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as EventInfo);
const typesIn = (events: readonly { readonly type: string }[]) => events.map(({ type }) => type);

test("a reader sees each change of a session as it happens, and no id that opens the session", async () => {
  await using stream = await open();
  const { headers } = stream.response;
  assert.equal(headers.get("content-type"), "text/event-stream");
  assert.equal(headers.get("cache-control"), "no-store");
  assert.equal(headers.get("x-accel-buffering"), "no");

  const created = sessionOf(await service().create(of("c")));
  // Events show the label of the time of reading: this one is read before the session gets a label.
  const [first] = await stream.take(1);
  const json = { rotate: true, visitId: "v", label: "Firefox" };
  const rotated = sessionOf(await service().update(created.sessionId, { json }));
  await service().call("DELETE", `/sessions/${rotated.sessionId}`);

  const later = await stream.take(3);
  const events = first === undefined ? later : [first, ...later];
  assert.deepEqual(typesIn(events), ["session.created", "session.associated", "session.rotated", "session.ended"]);
  const [second, , last] = later;
  const { sessionId, ...shown } = created;
  assert.deepEqual(first?.data, { session: { handle: handleOf(sessionId), ...shown, label: null } });
  assert.deepEqual("added" in (second?.data ?? {}) && second?.data, {
    session: { handle: handleOf(sessionId), ...without(rotated) },
    added: ["visitId"],
  });
  assert.equal(reasonOf(last), "caller");
  for (const id of [sessionId, rotated.sessionId]) assert.ok(!JSON.stringify(events).includes(id));
});

test("a reader that reconnects continues after its last event", async () => {
  const ids: string[] = [];
  {
    await using stream = await open();
    for (let i = 0; i < 3; i++) await service().create(of(`resumes ${i}`));
    ids.push(...(await stream.take(3)).map(({ id }) => id));
  }
  await service().create(of("resumes 3"));
  const customers = (events: readonly EventInfo[]) =>
    events.map(({ data }) => ("session" in data ? data.session.customerId : null));
  for (const [query, headers] of [
    [`?after=${ids[1]}`, {}],
    // The header counts: a browser repeats the first URL when it reconnects.
    [`?after=${ids[0]}`, { "last-event-id": ids[1] ?? "" }],
  ] as const) {
    await using stream = await open(query, { ...as("service"), ...headers });
    assert.deepEqual(customers(await stream.take(2)), ["resumes 2", "resumes 3"]);
    await service().create(of("follows"));
    assert.deepEqual(customers(await stream.take(1)), ["follows"]);
  }
});

test("a reader whose place is gone hears of it, and gets all events that are left", async () => {
  await service().create(of("left"));
  const gone = "zzzzzzzzz-zzzzzzzzzz";
  // A browser that reconnects sends the header. It would give up after a refusal, so any text counts as a place there.
  for (const [query, id] of [
    [`?after=${gone}`, ""],
    ["", gone],
    ["", "invented"],
  ] as const) {
    await using stream = await open(query, { ...as("service"), "last-event-id": id });
    const reset = await stream.next();
    assert.equal(reset?.event, "reset");
    assert.deepEqual(JSON.parse(reset.data ?? ""), { id: reset.id, type: "reset" });
    const [oldest] = await stream.take(1);
    await using whole = await open("?after=start");
    assert.deepEqual(await whole.take(1), [oldest]);
  }
  const poll = (place: string) => service().call("GET", `/events?after=${place}&limit=5`, { headers: lines });
  const answer = await poll(gone);
  assert.deepEqual(typesIn(linesIn(answer.text)), ["reset"]);
  const next = await poll(answer.headers.get("last-event-id") ?? "");
  assert.deepEqual(linesIn(next.text), linesIn((await poll("start")).text), "the next page has all that is kept");
});

test("a reader that asks for events after a text that is no place is refused", async () => {
  for (const place of ["begin", "Start", "", "0", "zzzzzzzzz-zzzzzzzzzz1"]) {
    const response = await service().call("GET", `/events?after=${place}&limit=5`, { headers: lines });
    assert.match(problemOf(response, 400, "invalid-request").detail, /start or end/);
  }
});

test("a reader chooses types and a customer, whose erasure it hears of", async () => {
  await using some = await open("?types=session.ended,customer.erased&customerId=one");
  const one = sessionOf(await service().create(of("one")));
  const two = sessionOf(await service().create(of("two")));
  for (const { sessionId } of [two, one]) await service().call("DELETE", `/sessions/${sessionId}`);
  await admin().call("DELETE", "/customers/two");
  await admin().call("DELETE", "/customers/one");
  const [ended, erased] = await some.take(2);
  assert.deepEqual(typesIn([ended, erased] as EventInfo[]), ["session.ended", "customer.erased"]);
  assert.ok(JSON.stringify(ended).includes(handleOf(one.sessionId)));
  await using later = await open("?after=start&customerId=one");
  assert.deepEqual(typesIn(await later.take(1)), ["customer.erased"], "its other events are gone");
});

test("the reason says who ended a session", async () => {
  await using stream = await open("?types=session.ended");
  const sessions: string[] = [];
  for (let i = 0; i < 3; i++) sessions.push(await newSession(service(), of("ended")));
  const [own = "", operated = ""] = sessions;
  await apiOf(server, holders.alice).call("DELETE", `/sessions/${await newSession(apiOf(server, holders.alice))}`);
  await service().call("DELETE", `/sessions/${own}`);
  await admin().call("DELETE", `/sessions/${operated}`);
  await admin().call("POST", "/sessions/end", { json: { customerId: "ended" } });
  const reasons = (await stream.take(4)).map(reasonOf);
  assert.deepEqual(reasons, ["caller", "caller", "operator", "bulk"]);
});

test("a poll returns a page, or waits for the first event", async () => {
  const poll = (query: string) => service().call("GET", `/events${query}`, { headers: lines });
  const start = (await poll("?limit=1")).headers.get("last-event-id") ?? "";
  for (let i = 0; i < 3; i++) await service().create(of("polled"));
  const first = await poll(`?after=${start}&limit=2`);
  assert.equal(first.headers.get("content-type"), "application/x-ndjson");
  const next = first.headers.get("last-event-id");
  assert.equal(linesIn(first.text).at(-1)?.id, next);
  const second = await poll(`?after=${next}&limit=2`);
  assert.equal(linesIn(first.text).length + linesIn(second.text).length, 3);

  const end = second.headers.get("last-event-id");
  const empty = await poll(`?after=${end}&wait=0&customerId=nobody`);
  assert.deepEqual([empty.status, empty.text], [200, ""]);
  const waiting = poll(`?after=${end}&wait=60`);
  await service().create(of("awaited"));
  assert.equal(linesIn((await waiting).text).length, 1);
});

test("a reader gets lines only if it prefers them to the stream", async () => {
  for (const [accept, type] of [
    ["application/x-ndjson;q=0.5", "application/x-ndjson"],
    ["application/x-ndjson;q=0", "text/event-stream"],
    ["application/x-ndjson;q=0.5, text/event-stream", "text/event-stream"],
  ] as const) {
    await using stream = await open("", { ...as("service"), accept });
    assert.equal(stream.response.headers.get("content-type"), type, accept);
  }
  const refused = await service().call("GET", "/events?limit=1", { headers: { accept: "application/x-ndjson;q=0" } });
  assert.match(problemOf(refused, 400, "invalid-request").detail, /Accept/);
});

test("a poll whose client has gone ends at once", async () => {
  const client = connect(server.port, "127.0.0.1");
  const head = ["GET /events?wait=59 HTTP/1.1", "Host: a", `Accept: ${lines.accept}`];
  client.end([...head, `Authorization: ${holders.service.bearer}`, "", ""].join("\r\n"));
  const startedAt = performance.now();
  await once(client.resume(), "close");
  assert.ok(performance.now() - startedAt < 50 * SECOND);
});

test("a reader whose client has gone is forgotten at once, although nothing happens", async () => {
  const readers = async () =>
    Number(/^antechamber_event_readers (\d+)$/m.exec((await admin().call("GET", "/metrics")).text)?.[1]);
  await until("no reader is left of other tests", async () => (await readers()) === 0);
  const client = connect(server.port, "127.0.0.1");
  const head = ["GET /events HTTP/1.1", "Host: a", `Authorization: ${holders.service.bearer}`, "", ""];
  client.write(head.join("\r\n"));
  await until("the reader is there", async () => (await readers()) === 1);
  client.destroy();
  await until("the reader is gone", async () => (await readers()) === 0);
});

test("lines of JSON are streamed too", async () => {
  const abort = new AbortController();
  const response = await fetch(`${server.url}/events`, {
    headers: { ...as("reporter"), ...lines },
    signal: abort.signal,
  });
  await service().create(of("line"));
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (text.includes("}\n")) break;
  }
  abort.abort();
  assert.deepEqual(typesIn(linesIn(text)), ["session.created"]);
});

test("a request for events is refused with all its faults", async () => {
  const refused = async (query: string, headers = {}) => {
    const problem = problemOf(await service().call("GET", `/events${query}`, { headers }), 400);
    return problem.errors?.map(({ name }) => name);
  };
  assert.deepEqual(await refused("?types=session.begun&customerId=&after="), ["types", "customerId", "after"]);
  assert.deepEqual(await refused("?types="), ["types"]);
  // It is in no log, so its reader would wait forever.
  assert.deepEqual(await refused("?types=webhook.test"), ["types"]);
  assert.deepEqual(await refused("?after=start&after=end&offset=1"), ["after", "offset"]);
  assert.deepEqual(await refused("?limit=5"), ["limit"]);
  assert.deepEqual(await refused("?limit=0&wait=61", lines), ["limit", "wait"]);
});

test("a server without an event log has no stream", async () => {
  await using silent = await serve({ config: { events: "off" } });
  const api = createApi(silent.url);
  await api.create(of("c"));
  for (const method of ["GET", "POST"]) problemOf(await api.call(method, "/events"), 404, "not-found");
  const { text } = await api.call("GET", "/metrics");
  assert.doesNotMatch(text, /^antechamber_event_log_events /m);
});

test("metrics show the log and its readers", async () => {
  await service().create(of("counted"));
  {
    await using stream = await open();
    assert.equal(stream.response.status, 200);
    const { text } = await admin().call("GET", "/metrics");
    const metric = (name: string) => Number(new RegExp(`^antechamber_${name} (\\S+)$`, "m").exec(text)?.[1]);
    assert.ok(metric("event_readers") > 0);
    assert.ok(metric("event_log_events") > 0);
    assert.ok(metric("event_log_oldest_age_seconds") >= metric("event_log_newest_age_seconds"));
  }
});

test("a stopping server ends its streams between two events, and polls that wait", async () => {
  await using stopping = await serve({ config: { shutdownTimeout: 50 * SECOND } });
  await using stream = await openEvents(stopping.url);
  await using noted = await openConnection(stopping.port);
  await using ignored = await openConnection(stopping.port);
  const accept = `Accept: ${lines.accept}`;
  noted.send(requestText("GET /events?wait=60", [accept]));
  ignored.send(requestText("GET /events?wait=60&customerId=nobody", [accept]));
  // Connections are accepted in their order, so the server has both polls when it responds to a later one.
  await exchange(stopping.port, requestText("GET /healthz"));
  await createApi(stopping.url).create(of("last"));
  assert.equal(linesIn((await noted.response()).body).length, 1);
  await stream.take(1);
  const startedAt = performance.now();
  await stopping.restart();
  assert.equal(await stream.next(), undefined);
  const { status, body } = await ignored.response();
  assert.deepEqual([status, body], [200, ""]);
  assert.ok(performance.now() - startedAt < 40 * SECOND, "nothing delays the end");
});

test("a reader that never reads costs the others nothing, and is closed", async () => {
  const silent = connect(server.port, "127.0.0.1");
  silent.pause();
  silent.write(
    `GET /events?after=start HTTP/1.1\r\nhost: localhost\r\nauthorization: ${holders.service.bearer}\r\n\r\n`,
  );
  await using stream = await open("?types=session.created");
  for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 50 }, () => service().create(of("many"))));
  assert.equal((await stream.take(1000)).length, 1000);
  silent.destroy();
});

function reasonOf(event: EventInfo | undefined): string | undefined {
  return event !== undefined && "reason" in event.data ? event.data.reason : undefined;
}

function without({ sessionId: _sessionId, ...shown }: { readonly sessionId: string }) {
  return shown;
}
