import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { anyEvent, type SessionEvent } from "../../src/session/event.ts";
import { idFields } from "../../src/session/fields.ts";
import type { Session } from "../../src/session/session.ts";
import { EventPages } from "../../src/store/sqlite/events/event-pages.ts";
import { handleOf, type SessionRow, sessionColumns, sessionOf } from "../../src/store/sqlite/tables/session-row.ts";
import { historyAfter, noHistory, type SessionHistory } from "../support/session-history.ts";

/** Compares the event log with the sessions: each change has its event, and there is no event without its change. */
export interface EventLedger {
  /** Asserts that all events so far agree with the stored sessions. Reads the events since the last call. */
  verify(dataDir: string): void;
  /** The number of events so far. */
  readonly events: number;
}

/** Creates a ledger for a data folder from its beginning, of which no event may be purged and no session erased. */
export function createEventLedger(): EventLedger {
  const sessions = new Map<string, SessionHistory>();
  let after: string | undefined;
  let count = 0;

  function enter(event: SessionEvent): void {
    const { handle } = event.session;
    sessions.set(handle, historyAfter(sessions.get(handle) ?? noHistory, event));
  }

  function readEvents(pages: EventPages): void {
    const bounds = pages.bounds();
    for (;;) {
      const page = pages.read({ after: after ?? bounds.start, limit: 10_000, filter: anyEvent });
      assert.ok(!page.isGone);
      for (const event of page.events) if ("session" in event) enter(event);
      count += page.events.length;
      after = page.next;
      if (!page.hasMore) break;
    }
    assert.equal(count, bounds.events, "every event has its session");
  }

  return {
    verify(dataDir) {
      const database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
      try {
        readEvents(new EventPages(database));
        for (const session of storedSessions(database)) {
          const known = sessions.get(session.handle) ?? noHistory;
          const ids = Object.fromEntries(idFields.map((field) => [field, known.ids[field] ?? null]));
          const { handle, generation, ended } = session;
          assert.deepEqual(ids, Object.fromEntries(idFields.map((field) => [field, session[field]])), handle);
          assert.deepEqual([known.rotations, known.over === "ended"], [generation, ended], handle);
        }
      } finally {
        database.close();
      }
    },
    get events() {
      return count;
    },
  };
}

function* storedSessions(database: DatabaseSync): Generator<Session> {
  const rows = database.prepare(`SELECT id, ${sessionColumns} FROM sessions`);
  rows.setReturnArrays(true);
  for (const row of rows.iterate()) {
    const [key, ...columns] = row as unknown as [number, ...SessionRow];
    yield sessionOf(handleOf(key, columns[0], columns[1]), key, columns);
  }
}
