// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventFeed } from "../../src/http/handlers/events/event-feed.ts";
import { anyEvent, type LoggedEvent } from "../../src/session/event.ts";
import type { EventLog } from "../../src/store/ports/events.ts";
import { ids, START } from "../support/sessions.ts";

const idOf = (position: number) => String(position).padStart(8, "0");

/** Creates an event log in memory. */
function createLog() {
  let events: LoggedEvent[] = [];
  let notify = () => {};
  const log: EventLog = {
    eventBounds: async () => null,
    async readEvents({ after, limit }) {
      const found = events.filter(({ id }) => id > after);
      const page = found.slice(0, limit);
      return { isGone: false, events: page, next: page.at(-1)?.id ?? after, hasMore: found.length > limit };
    },
    onEvents(listener) {
      notify = listener;
      return () => {};
    },
  };
  return {
    log,
    change(next: (before: readonly LoggedEvent[]) => LoggedEvent[]) {
      events = next(events);
      notify();
    },
  };
}

function created(position: number, customerId: string): LoggedEvent {
  const times = { createdAt: START, lastActiveAt: START, expiresAt: START };
  const session = { handle: "h", ...ids({ customerId }), ...times, label: null };
  return { id: idOf(position), type: "session.created", timestamp: START, session };
}

/** Reads a stream until a text has come. Returns everything that was read. */
async function readUntil(stream: ReadableStream<Uint8Array>, text: string): Promise<string> {
  const decoder = new TextDecoder();
  let all = "";
  for await (const bytes of stream) {
    all += decoder.decode(bytes, { stream: true });
    if (all.includes(text)) return all;
  }
  assert.fail(`the stream ended before ${text}`);
}

test("the feed keeps no event of an erased customer for readers that resume", async () => {
  const { log, change } = createLog();
  const feed = new EventFeed({ log, metrics: { eventReadersCutOff: { inc: () => undefined } } });
  const open = (after: string) =>
    feed.open({ filter: anyEvent, format: "event-stream", after, isKnown: false }, idOf(0), () => undefined);
  // A reader that stays, so that the feed works during the whole test.
  const staying = open(idOf(0));
  const reading = readUntil(open(idOf(0)), "customer.erased");
  // More than a page, so that a reader that resumes gets the rest from the memory of the feed.
  change(() => [...Array.from({ length: 300 }, (_, i) => created(i + 1, "kept")), created(301, "gone")]);
  await readUntil(open(idOf(0)), '"gone"');
  const erasure = { id: idOf(302), type: "customer.erased", timestamp: START, customerHash: "hash" } as const;
  change((before) => [...before.filter(({ id }) => id !== idOf(301)), erasure]);
  assert.match(await reading, /"gone"/);
  const resumed = await readUntil(open(idOf(0)), "customer.erased");
  assert.ok(!resumed.includes('"gone"'), "an erased event is sent");
  await staying.cancel();
  feed.close();
});

test("readers of the same events get the same bytes, which are encoded once", async () => {
  const { log, change } = createLog();
  const feed = new EventFeed({ log, metrics: { eventReadersCutOff: { inc: () => undefined } } });
  const firstPart = async (types: readonly LoggedEvent["type"][], format: "event-stream" | "json-lines") => {
    const filter = { types: new Set(types), customer: null };
    const stream = feed.open({ filter, format, after: idOf(0), isKnown: true }, idOf(0), () => undefined);
    const reader = stream.getReader();
    // The first part only opens the stream.
    await reader.read();
    const { value } = await reader.read();
    await reader.cancel();
    return value;
  };
  const parts = [
    firstPart(["session.created", "session.ended"], "event-stream"),
    firstPart(["session.ended", "session.created"], "event-stream"),
    firstPart(["session.created", "session.ended"], "json-lines"),
    firstPart(["session.created"], "event-stream"),
  ];
  change(() => [created(1, "a"), { ...created(2, "b"), type: "session.ended", reason: "caller" } as LoggedEvent]);
  const [one, same, lines, fewer] = await Promise.all(parts);
  assert.ok(one !== undefined && one === same);
  const textOf = (bytes?: Uint8Array) => new TextDecoder().decode(bytes);
  assert.match(textOf(one), /^id: 00000001\nevent: session\.created\n.*\n\nid: 00000002\nevent: session\.ended\n/);
  assert.match(textOf(lines), /^\{.*session\.created.*\n\{.*session\.ended.*\n$/);
  assert.doesNotMatch(textOf(fewer), /session\.ended/);
  feed.close();
});

/** Time (ms) that a reader takes for a chunk. */
const WRITE_MS = 0.05;

test("many readers leave most of the time to requests, however fast events come", async () => {
  const { log, change } = createLog();
  const feed = new EventFeed({ log, metrics: { eventReadersCutOff: { inc: () => undefined } } });
  const written = { chunks: 0, ms: 0 };
  const startedAt = performance.now();
  const read = async () => {
    const options = { filter: anyEvent, format: "event-stream", after: idOf(0), isKnown: true } as const;
    for await (const _ of feed.open(options, idOf(0), () => undefined)) {
      // The time that a connection takes to write a chunk. It is short, so that also on a busy machine the feed works in
      // slices to which its longest pause is no limit. What it takes longer is a time in which the machine did other work.
      const from = performance.now();
      while (performance.now() - from < WRITE_MS);
      written.ms += WRITE_MS;
      written.chunks++;
    }
  };
  const readers = Array.from({ length: 100 }, read);
  let position = 0;
  while (written.chunks < 3000) {
    change((before) => [...before, created(++position, "c")]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  feed.close();
  await Promise.all(readers);
  const share = written.ms / (performance.now() - startedAt);
  assert.ok(share < 0.5, `the readers took ${Math.round(100 * share)} % of the time`);
});
