import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { awaitEvents, Turns } from "../../src/services/await-events.ts";
import { anyEvent } from "../../src/session/event.ts";
import type { EventLog, EventPage } from "../../src/store/ports/events.ts";

const request = { after: "0", limit: 10, filter: anyEvent };

/** Creates a log without matching events. Each page takes a millisecond of the thread. `pages` is their number. */
function createLog(pages: number) {
  const listeners = new Set<() => void>();
  const state = { reads: 0 };
  const log: EventLog = {
    eventBounds: async () => null,
    async readEvents({ after }): Promise<EventPage> {
      state.reads++;
      const end = performance.now() + 1;
      while (performance.now() < end);
      const next = Math.min(pages, Number(after) + 1);
      return { isGone: false, events: [], next: String(next), hasMore: next < pages };
    },
    onEvents(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const notify = () => {
    for (const listener of listeners) listener();
  };
  return { log, state, notify };
}

test("a search through many events lets other work run in between, and ends when nobody waits for it", async () => {
  const { log, state } = createLog(100_000);
  const stop = new AbortController();
  const found = awaitEvents(log, request, { ms: 0, stop: stop.signal });
  for (let i = 0; i < 3; i++) await immediate();
  stop.abort();
  assert.equal((await found).events.length, 0);
  assert.ok(state.reads < 20, `${state.reads} pages`);
});

test("a change does not make all waiting requests read at once", async () => {
  const { log, state, notify } = createLog(1);
  const stop = new AbortController();
  const turns = new Turns();
  const waits = Array.from({ length: 20 }, () => awaitEvents(log, request, { ms: 60_000, stop: stop.signal, turns }));
  await immediate();
  const before = state.reads;
  assert.equal(before, 20);
  notify();
  await immediate();
  await immediate();
  assert.ok(state.reads - before <= 3, `${state.reads - before} reads in a turn of the event loop`);
  stop.abort();
  await Promise.all(waits);
});
