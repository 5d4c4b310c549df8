import assert from "node:assert/strict";
import { test } from "node:test";
import { keyFor, serve, type TestServer } from "../../server/test/support/in-process.ts";
import { createAdministration, type EventReset } from "../src/administration.ts";
import type { ProblemError } from "../src/problem-error.ts";
import type { EventInfo } from "../src/protocol.ts";
import { createTransport } from "../src/transport.ts";

const key = keyFor({ role: "service" });

/** Returns options that reach the server, also after a restart, when it has another port. */
function optionsFor(server: TestServer) {
  const url = "http://antechamber.test";
  return {
    url,
    key: key.bearer.slice("Bearer ".length),
    fetch: (input: string | URL | Request, init?: RequestInit) =>
      fetch((input as string).replace(url, server.url), init),
  };
}

function customersOf(events: readonly (EventInfo | EventReset)[]): (string | null)[] {
  return events.map((event) => ("data" in event && "session" in event.data ? event.data.session.customerId : null));
}

async function take(
  events: AsyncGenerator<EventInfo | EventReset>,
  count: number,
): Promise<(EventInfo | EventReset)[]> {
  const taken: (EventInfo | EventReset)[] = [];
  while (taken.length < count) {
    const result = await events.next();
    assert.ok(result.done !== true, `the events ended after ${taken.length}`);
    taken.push(result.value);
  }
  return taken;
}

test("events continue where they were after a restart, and end with their signal", async () => {
  await using server = await serve({ config: { auth: "key" }, keys: [key.key] });
  const options = optionsFor(server);
  const admin = createAdministration(options);
  const transport = createTransport(options);
  const stop = new AbortController();
  const events = admin.events({ types: ["session.created"], signal: stop.signal });
  const first = take(events, 1);
  // The stream begins with the request, so events are missed until it is open.
  const sent: Promise<unknown>[] = [];
  const ahead = setInterval(() => sent.push(transport.create({ customerId: "first" }).catch(() => undefined)), 50);
  assert.deepEqual(customersOf(await first), ["first"]);
  clearInterval(ahead);
  await Promise.all(sent);
  await transport.create({ customerId: "second" });
  let customer: string | null | undefined;
  while (customer !== "second") [customer] = customersOf(await take(events, 1));

  await server.restart();
  await transport.create({ customerId: "after the restart" });
  assert.deepEqual(customersOf(await take(events, 1)), ["after the restart"]);

  const waiting = events.next();
  stop.abort();
  assert.deepEqual(await waiting, { done: true, value: undefined });
});

/** Returns the same stream, and calls `read` when its reader asks for more than the first frame. */
function afterFirstFrame(body: ReadableStream<Uint8Array>, read: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let text = "";
  return new ReadableStream(
    {
      async pull(controller) {
        if (text.includes("\n\n")) read();
        const { done, value } = await reader.read();
        if (done) return controller.close();
        text += new TextDecoder().decode(value);
        controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

test("a reader that connects again misses nothing, even if it had no event before", async () => {
  await using server = await serve({ config: { auth: "key" }, keys: [key.key] });
  const options = optionsFor(server);
  const transport = createTransport(options);
  let opened = () => {};
  const isOpen = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const observed = async (...request: Parameters<typeof options.fetch>) => {
    const response = await options.fetch(...request);
    if (!response.body) return response;
    return new Response(
      afterFirstFrame(response.body, () => opened()),
      response,
    );
  };
  const events = createAdministration({ ...options, fetch: observed }).events();
  const first = take(events, 1);
  await isOpen;
  await server.restart();
  await transport.create({ customerId: "meanwhile" });
  assert.deepEqual(customersOf(await first), ["meanwhile"]);
  await events.return();
});

/** Returns a stream that fails after the first line of data, before the empty line at the end of that event. */
function cutAfterData(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let isCut = false;
  return new ReadableStream({
    async pull(controller) {
      if (isCut) throw new TypeError("terminated");
      const { value } = await reader.read();
      const text = new TextDecoder().decode(value);
      const data = text.indexOf("data: ");
      isCut = data >= 0;
      controller.enqueue(new TextEncoder().encode(isCut ? text.slice(0, text.indexOf("\n", data) + 1) : text));
      if (isCut) await reader.cancel();
    },
  });
}

test("an event that was yielded is not repeated if the connection is lost within it", async () => {
  await using server = await serve({ config: { auth: "key" }, keys: [key.key] });
  const options = optionsFor(server);
  const transport = createTransport(options);
  let requests = 0;
  const lost = async (input: string | URL | Request, init?: RequestInit) => {
    const response = await options.fetch(input, init);
    if (++requests > 1 || response.body === null) return response;
    return new Response(cutAfterData(response.body), { headers: response.headers });
  };
  const events = createAdministration({ ...options, fetch: lost }).events({ after: "start" });
  await transport.create({ customerId: "once" });
  assert.deepEqual(customersOf(await take(events, 1)), ["once"]);
  await transport.create({ customerId: "next" });
  assert.deepEqual(customersOf(await take(events, 1)), ["next"]);
  assert.equal(requests, 2);
  await events.return();
});

test("a position that is gone is reported, and a refusal ends the events", async () => {
  await using server = await serve({ config: { auth: "key" }, keys: [key.key] });
  const options = optionsFor(server);
  await createTransport(options).create({ customerId: "kept" });
  const events = createAdministration(options).events({ after: "zzzzzzzzz-zzzzzzzzzz", customerId: "kept" });
  const [reset, kept] = await take(events, 2);
  assert.equal(reset?.type, "reset");
  assert.deepEqual(customersOf([kept as EventInfo]), ["kept"]);
  await events.return();
  const refused = createAdministration({ ...options, key: "unknown" }).events();
  await assert.rejects(refused.next(), (error: ProblemError) => error.code === "invalid-credential");
});
