// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Identity, noIdentity } from "../../src/session/session.ts";
import { ids } from "../support/sessions.ts";
import { long } from "../support/tier.ts";
import { checkHistory, type Event } from "./check.ts";
import { drafts, faults, simulate } from "./simulation.ts";

const RUNS = long ? 20_000 : 1500;

const forever = Number.POSITIVE_INFINITY;
const unknown = { kind: "unknown" } as const;
const absent = { kind: "absent" } as const;

type Times = readonly [call: number, end: number];

/** Creates a change whose response has the session's ids after it. */
function write(session: string, given: Partial<Identity>, at: Times, has = given): Event {
  const answer = { kind: "session", ids: ids(has), generation: 0 } as const;
  return {
    operation: "associate",
    session,
    generation: 0,
    ids: ids(given),
    response: answer,
    call: at[0],
    return: at[1],
  };
}

function read(session: string, shown: Partial<Identity>, at: Times): Event {
  const answer = { kind: "session", ids: ids(shown), generation: 0 } as const;
  return {
    operation: "retrieve",
    session,
    generation: 0,
    ids: noIdentity,
    response: answer,
    call: at[0],
    return: at[1],
  };
}

function refused(session: string, given: Partial<Identity>, field: string, at: Times): Event {
  return { ...write(session, given, at), response: { kind: "conflict", field } };
}

function end(session: string, [call, until]: Times): Event {
  const answer = { kind: "ended" } as const;
  return { operation: "end", session, generation: 0, ids: noIdentity, response: answer, call, return: until };
}

/** Creates a request with the id of this generation, whose response, if it has one, has an id of `has`. */
function by(generation: number, event: Event, has = generation): Event {
  const { response } = event;
  return { ...event, generation, response: response.kind === "session" ? { ...response, generation: has } : response };
}

/** Creates a rotation from this generation to the next one. */
function rotate(generation: number, given: Partial<Identity>, at: Times, has = given): Event {
  return by(generation, { ...write("s", given, at, has), operation: "rotate" }, generation + 1);
}

function unanswered(event: Event): Event {
  return { ...event, response: unknown, return: forever };
}

function violations(...events: Event[]): number {
  return checkHistory(events).violations.length;
}

test(`${RUNS} correct histories are explained, with any overlaps and unknown outcomes`, () => {
  fc.assert(
    fc.property(drafts, (requests) => {
      assert.deepEqual(checkHistory(simulate(requests)).violations, []);
    }),
    { numRuns: RUNS },
  );
});

test("each fault of a simulated system is found in the responses that its clients see", () => {
  for (const fault of faults) {
    const histories = fc.sample(drafts, { numRuns: RUNS / 5, seed: 1 }).map((requests) => {
      return checkHistory(simulate(requests, fault)).violations.length;
    });
    const found = histories.filter((count) => count > 0).length;
    assert.ok(found > 0, `${fault} was never found`);
    console.log(`${fault}: seen in ${found} of ${histories.length} histories`);
  }
});

test("a stale read is found, but not one that overlaps the change", () => {
  const change = write("s", { customerId: "c" }, [0, 10]);
  assert.equal(violations(change, read("s", {}, [11, 12])), 1);
  assert.equal(violations(change, read("s", {}, [9, 12])), 0);
});

test("a read of an older state after a newer one is found", () => {
  const change = write("s", { customerId: "c" }, [0, 10]);
  const reads = [read("s", { customerId: "c" }, [2, 3]), read("s", {}, [4, 5])];
  assert.equal(violations(change, ...reads), 1);
  assert.equal(violations(change, ...reads.toReversed()), 1);
});

test("the loss of an acknowledged change is found; a change with an unknown outcome may be there or not", () => {
  const first = write("s", { customerId: "c" }, [0, 1]);
  const second = write("s", { agentId: "a" }, [2, 3], { customerId: "c", agentId: "a" });
  const shows = read("s", { customerId: "c" }, [4, 5]);
  assert.equal(violations(first, second, shows), 1);
  assert.equal(violations(first, unanswered(second), shows), 0);
  const late = read("s", { customerId: "c", agentId: "a" }, [6, 7]);
  assert.equal(violations(first, unanswered(second), shows, late), 0);
});

test("an id that changes is found", () => {
  const first = write("s", { customerId: "c" }, [0, 1]);
  assert.equal(violations(first, write("s", { customerId: "d" }, [2, 3])), 1);
  assert.equal(violations(first, read("s", { customerId: "d" }, [2, 3])), 1);
  const both = [write("s", { customerId: "c" }, [0, 9]), write("s", { customerId: "d" }, [0, 9])];
  assert.equal(violations(...both), 1, "both of two that cannot both win were acknowledged");
});

test("a change that is half applied is found", () => {
  const change = unanswered(write("s", { customerId: "c", agentId: "a" }, [0, 1]));
  assert.equal(violations(change, read("s", { customerId: "c" }, [2, 3])), 1);
});

test("a session that is live after its end is found", () => {
  const life = [write("s", { customerId: "c" }, [0, 1]), end("s", [2, 3])];
  assert.equal(violations(...life, read("s", { customerId: "c" }, [4, 5])), 1);
  assert.equal(violations(...life, write("s", { agentId: "a" }, [4, 5])), 1);
  const gone = { ...read("s", {}, [4, 5]), response: absent };
  assert.equal(violations(...life, gone), 0);
  const doubtful = [life[0] as Event, unanswered(end("s", [2, 3]))];
  assert.equal(violations(...doubtful, gone, read("s", { customerId: "c" }, [6, 7])), 1);
  assert.equal(
    violations(...doubtful, read("s", { customerId: "c" }, [6, 7]), {
      ...gone,
      call: 8,
      return: 9,
    }),
    0,
  );
});

test("a session that disappears is found", () => {
  const change = write("s", { customerId: "c" }, [0, 1]);
  assert.equal(violations(change, { ...read("s", {}, [2, 3]), response: absent }), 1);
});

test("two sessions with the same visit are found, even if their requests overlap", () => {
  const winner = write("s", { visitId: "v" }, [0, 9]);
  const other = write("t", { visitId: "v" }, [0, 9]);
  assert.equal(violations(winner, other), 1);
  assert.equal(violations(winner, refused("t", { visitId: "v" }, "visitId", [0, 9])), 0);
  assert.equal(violations(winner, end("s", [10, 11]), { ...other, call: 12, return: 13 }), 0);
  assert.equal(violations(winner, end("s", [10, 11]), { ...other, call: 1, return: 8 }), 1);
});

test("a visit that is refused to everybody is found, unless a request with an unknown outcome may have taken it", () => {
  const visit = { visitId: "v" };
  const loser = refused("t", visit, "visitId", [5, 6]);
  assert.equal(violations(loser), 1);
  assert.equal(violations(unanswered(write("s", visit, [0, 1])), loser), 0);
  const creation: Event = { ...unanswered(write("s", visit, [0, 1])), session: undefined };
  assert.equal(violations(creation, loser), 0);
  assert.equal(violations(write("s", visit, [0, 1]), end("s", [2, 3]), loser), 1);
});

test("a refused id that conflicts with no other id is found", () => {
  assert.equal(violations(refused("s", { customerId: "c" }, "customerId", [0, 1])), 1);
  const first = write("s", { customerId: "d" }, [0, 9]);
  assert.equal(violations(first, refused("s", { customerId: "c" }, "customerId", [1, 2])), 0);
});

test("two rotations from one id are found, and so is a retired id that changes or reads the session", () => {
  const signIn = rotate(0, { customerId: "c" }, [0, 10]);
  assert.equal(violations(signIn, by(1, read("s", { customerId: "c" }, [11, 12]))), 0);
  assert.equal(violations(signIn, rotate(0, { customerId: "c" }, [0, 10])), 1);
  assert.equal(violations(signIn, rotate(1, { agentId: "a" }, [11, 12], { customerId: "c", agentId: "a" })), 0);
  const both = { customerId: "c", agentId: "a" };
  assert.equal(violations(signIn, write("s", { agentId: "a" }, [11, 12], both)), 1);
  assert.equal(violations(signIn, read("s", { customerId: "c" }, [11, 12])), 1);
  assert.equal(violations(signIn, by(0, read("s", { customerId: "c" }, [11, 12]), 1)), 1, "it shows the new id");
  assert.equal(violations(signIn, end("s", [11, 12])), 1);
  assert.equal(violations(signIn, { ...end("s", [11, 12]), response: absent }), 0);
});

test("a retired id may show the session as it was, or nothing", () => {
  const signIn = rotate(0, { customerId: "c" }, [0, 10]);
  assert.equal(violations(signIn, read("s", {}, [11, 12])), 0);
  assert.equal(violations(signIn, { ...read("s", {}, [11, 12]), response: absent }), 0);
  assert.equal(violations(signIn, by(1, read("s", {}, [11, 12]))), 1, "the new id shows everything");
  assert.equal(violations(signIn, { ...by(1, read("s", {}, [11, 12])), response: absent }), 1);
});

test("a rotation with an unknown outcome took place or not, and its repetition gets the same id", () => {
  const lost = unanswered(rotate(0, { customerId: "c" }, [0, 1]));
  assert.equal(violations(lost, write("s", { agentId: "a" }, [2, 3])), 0);
  const repeated = { ...rotate(0, { customerId: "c" }, [2, 3]), operation: "repeat" } as const;
  assert.equal(violations(lost, repeated), 0);
  assert.equal(violations(repeated), 0, "the first request did not arrive");
  assert.equal(violations(lost, repeated, { ...repeated, call: 4, return: 5 }), 0);
  const again = rotate(1, {}, [4, 5], { customerId: "c" });
  assert.equal(violations(lost, repeated, again, { ...repeated, call: 6, return: 7 }), 1, "the id is retired");
  assert.equal(violations(rotate(0, {}, [0, 1]), write("s", { agentId: "a" }, [2, 3])), 1);
});

test("a retired id says nothing about the visit of its session", () => {
  const holder = rotate(0, { visitId: "v" }, [0, 1]);
  const gone = { ...read("s", {}, [2, 3]), response: absent };
  assert.equal(violations(holder, gone, refused("t", { visitId: "v" }, "visitId", [4, 5])), 0);
  assert.equal(violations(holder, gone, write("t", { visitId: "v" }, [4, 5])), 1);
});

const failover = { from: 100, to: 200 };

test("a change lost by a failover is counted, and one lost at any other time is a fault", () => {
  const shows = read("s", {}, [300, 301]);
  const near = [write("s", { customerId: "c" }, [110, 111]), shows];
  const report = checkHistory(near, [failover]);
  assert.deepEqual([report.lost, report.stale, report.violations], [1, 0, []]);
  const before = [write("s", { customerId: "c" }, [10, 11]), shows];
  assert.equal(checkHistory(before, [failover]).violations.length, 1);
  const after = [write("s", { customerId: "c" }, [210, 211]), shows];
  assert.equal(checkHistory(after, [failover]).violations.length, 1);
});

test("only the last changes can be lost in a failover, never one in the middle", () => {
  const first = write("s", { customerId: "c" }, [110, 111]);
  const second = write("s", { agentId: "a" }, [112, 113], { customerId: "c", agentId: "a" });
  const both = checkHistory([first, second, read("s", {}, [300, 301])], [failover]);
  assert.deepEqual([both.lost, both.violations], [2, []]);
  const middle = checkHistory([first, second, read("s", { agentId: "a" }, [300, 301])], [failover]);
  assert.equal(middle.violations.length, 1);
});

test("a failover does not excuse a changed id, or a change that disappears and comes back later", () => {
  const first = write("s", { customerId: "c" }, [10, 11]);
  const changed = write("s", { customerId: "d" }, [150, 151]);
  assert.equal(checkHistory([first, changed], [failover]).violations.length, 1);
  const reads = [read("s", {}, [210, 211]), read("s", { customerId: "c" }, [212, 213])];
  const lost = { ...first, call: 150, return: 151 };
  assert.equal(checkHistory([lost, ...reads], [failover]).violations.length, 1);
});

test("responses of a replaced primary are counted, during the failover only", () => {
  const change = write("s", { customerId: "c" }, [120, 121]);
  const old = read("s", {}, [130, 131]);
  const shows = read("s", { customerId: "c" }, [140, 141]);
  const report = checkHistory([change, old, shows], [failover]);
  assert.deepEqual([report.lost, report.stale, report.violations], [0, 1, []]);
  const late = { ...old, call: 210, return: 211 };
  const after = { ...shows, call: 212, return: 213 };
  assert.equal(checkHistory([change, late, after], [failover]).violations.length, 1);
});

test("a visit that a failover gave to a second session is counted", () => {
  const first = write("s", { visitId: "v" }, [110, 111]);
  const second = write("t", { visitId: "v" }, [150, 151]);
  const shown = [read("s", { visitId: "v" }, [300, 301]), read("t", { visitId: "v" }, [302, 303])];
  const report = checkHistory([first, second, ...shown], [failover]);
  assert.deepEqual([report.heldTwice, report.violations], [1, []]);
  const early = { ...first, call: 10, return: 11 };
  assert.equal(checkHistory([early, second, ...shown], [failover]).violations.length, 1);
});
