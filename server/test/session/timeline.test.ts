// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { IdField } from "../../src/session/fields.ts";
import { newSession } from "../../src/session/lifetime.ts";
import type { RequestRecord } from "../../src/session/record.ts";
import { noIdentity } from "../../src/session/session.ts";
import {
  type AssociationEvent,
  type Cursor,
  type EndEvent,
  type Entry,
  formatCursor,
  pageOf,
  parseCursor,
  type RecordPage,
  timelineStart,
} from "../../src/session/timeline.ts";
import { ids, lifetimes, START } from "../support/sessions.ts";

const values = ids({ agentId: "7", customerId: "anna", visitId: "v", globalVisitId: "g" });

/** The events of a session: its initial ids, the associations and rotations after a number of requests, and its end. */
interface Story {
  readonly born: readonly IdField[];
  readonly associations: readonly AssociationEvent[];
  readonly end: EndEvent | null;
  readonly total: number;
  readonly dropped: number;
}

/** Stories with their events in order, in which every id is set at most once. */
const stories: fc.Arbitrary<Story> = fc
  .record({
    fields: fc.shuffledSubarray(["agentId", "customerId", "visitId", "globalVisitId"] as IdField[]),
    cuts: fc.array(fc.nat(4), { maxLength: 4 }),
    places: fc.array(fc.nat(30), { minLength: 4, maxLength: 4 }),
    rotations: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    end: fc.constantFrom(null, "ended" as const, "expired" as const),
    total: fc.nat(30),
    dropped: fc.nat(30),
  })
  .map(({ fields, cuts, places, rotations, end, total, dropped }) => {
    const borders = [...cuts.map((cut) => Math.min(cut, fields.length)), fields.length].toSorted((a, b) => a - b);
    const groups = borders.map((border, i) => fields.slice(borders[i - 1] ?? 0, border));
    const [born = [], ...later] = groups.map((group) => [...group].toSorted());
    const sorted = places.map((place) => Math.min(place, total)).toSorted((a, b) => a - b);
    const associations = later
      .map((group, i) => ({
        at: START + i,
        after: sorted[i] ?? total,
        fields: group,
        isRotation: rotations[i] === true,
      }))
      .filter(({ fields: set, isRotation }) => set.length > 0 || isRotation);
    return {
      born,
      associations,
      end: end === null ? null : { type: end, at: START + 99 },
      total,
      dropped: Math.min(dropped, total),
    };
  });

function requestOf(sequence: number): RequestRecord {
  return {
    method: "GET",
    path: `/${sequence}`,
    status: null,
    startedAt: START + sequence,
    durationMs: null,
    service: null,
    attributes: {},
  };
}

/** Returns the page of records that a store would return. */
function stretchOf(story: Story, after: number, limit: number): RecordPage {
  const known = [story.born, ...story.associations.map(({ fields }) => fields)].flat();
  const identity = { ...noIdentity, ...Object.fromEntries(known.map((f) => [f, values[f]])) };
  const session = newSession("id", START, identity, lifetimes);
  const first = Math.max(after, story.dropped) + 1;
  const length = Math.max(0, Math.min(limit, story.total - first + 1));
  return {
    life: { session, associations: story.associations, end: story.end },
    total: story.total,
    dropped: story.dropped,
    first,
    records: Array.from({ length }, (_, i) => requestOf(first + i)),
  };
}

const listed = (names: Iterable<string>) => [...names].toSorted().join();

/** Returns an entry in a short form: its type, and the ids that it set. */
function short(entry: Entry): string {
  const known = Object.entries(entry.identity).filter(([, value]) => value !== null);
  const who = listed(known.map(([field]) => field));
  const what = entry.type === "request" ? entry.record.path : `${entry.type} ${listed(entry.fields)}`;
  return `${what} as ${who}`;
}

/** Returns the expected timeline, computed event by event. */
function expectedLines(story: Story): string[] {
  const lines: string[] = [];
  const known = new Set<IdField>(story.born);
  const who = () => listed(known);
  lines.push(`created ${listed(story.born)} as ${who()}`);
  for (let sequence = 0; sequence <= story.total; sequence++) {
    if (sequence > story.dropped) lines.push(`/${sequence} as ${who()}`);
    for (const event of story.associations.filter(({ after }) => after === sequence)) {
      for (const field of event.fields) known.add(field);
      if (event.fields.length > 0) lines.push(`associated ${listed(event.fields)} as ${who()}`);
      if (event.isRotation) lines.push(`rotated  as ${who()}`);
    }
  }
  if (story.end !== null) lines.push(`${story.end.type}  as ${who()}`);
  return lines;
}

test("the pages of a timeline contain each of its lines once, whatever their sizes", () => {
  const limits = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(stories, limits, fc.integer({ min: 1, max: 12 }), (story, wanted, most) => {
      const lines: string[] = [];
      let cursor: Cursor | undefined = timelineStart;
      for (let i = 0; cursor !== undefined; i++) {
        const limit = wanted[i % wanted.length] ?? 1;
        // A store may return fewer records than requested.
        const stretch = stretchOf(story, cursor.sequence, Math.min(limit, most));
        const page = pageOf(stretch, cursor, limit);
        assert.ok(page.entries.length <= limit);
        assert.ok(page.entries.length > 0, "a page is empty");
        lines.push(...page.entries.map(short));
        cursor = page.next && parseCursor(formatCursor(page.next));
        assert.ok(page.next === undefined || cursor !== undefined, "a cursor is not understood");
      }
      assert.deepEqual(lines, expectedLines(story));
    }),
    { numRuns: 2000 },
  );
});

test("a sequence number is a cursor to the lines after that request", () => {
  fc.assert(
    fc.property(stories, fc.nat(40), (story, after) => {
      const cursor = parseCursor(String(after));
      assert.ok(cursor !== undefined);
      const page = pageOf(stretchOf(story, after, 1000), cursor, 1000);
      const all = expectedLines(story);
      const from = all.findIndex((line) => line.startsWith(`/${after} `)) + 1;
      if (after === 0) assert.deepEqual(page.entries.map(short), all);
      else if (from > 0) assert.deepEqual(page.entries.map(short), all.slice(from));
      assert.equal(page.next, undefined);
    }),
    { numRuns: 1000 },
  );
});

test("the timeline of a live session continues where its last page ended", () => {
  const story = { born: [], associations: [], end: null, total: 3, dropped: 0 };
  const first = pageOf(stretchOf(story, 0, 4), timelineStart, 4);
  assert.equal(first.entries.length, 4);
  assert.equal(first.next, undefined);
  const later = pageOf(stretchOf({ ...story, total: 5 }, 3, 4), { sequence: 3, events: undefined }, 4);
  assert.deepEqual(later.entries.map(short), ["/4 as ", "/5 as "]);
});

test("formatted cursors can be parsed, and other texts are refused", () => {
  for (const cursor of [
    { sequence: 0, events: 0 },
    { sequence: 0, events: 1 },
    { sequence: 12, events: 6 },
    { sequence: 999_999_999_999_999, events: 99 },
    { sequence: 7, events: undefined },
  ]) {
    assert.deepEqual(parseCursor(formatCursor(cursor)), cursor);
  }
  for (const text of ["", " 1", "1 ", "-1", "+1", "1.", ".1", "1.2.3", "1e3", "0x1", "a", "1,2"]) {
    assert.equal(parseCursor(text), undefined, text);
  }
  for (const text of ["1.1234", "1".repeat(16), "١", "1\n"]) {
    assert.equal(parseCursor(text), undefined, text);
  }
});
