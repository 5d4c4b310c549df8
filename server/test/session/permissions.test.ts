// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  changeScope,
  findableBy,
  forbiddenAssertion,
  isFindable,
  isWithin,
  type Principal,
  readScope,
} from "../../src/session/permissions.ts";
import { ids } from "../support/sessions.ts";

const none = { customerId: null, agentId: null };
const people = {
  alice: { role: "customer", customerId: "alice", agentId: null },
  "a public page": { role: "customer", ...none },
  "agent 7": { role: "agent", customerId: null, agentId: "7" },
  "an agent's key without an agent": { role: "agent", ...none },
  "a service": { role: "service", ...none },
  "a reporter": { role: "reporter", ...none },
  "an administrator": { role: "administrator", ...none },
} satisfies Record<string, Principal>;
type Person = keyof typeof people;

/** Whether each caller may assert the given ids: the first refused id, or `undefined` (contract.md#assertions). */
const assertions: [Person, Parameters<typeof ids>[0], string | undefined][] = [
  ["alice", { customerId: "alice" }, undefined],
  ["alice", { customerId: "bob" }, "customerId"],
  ["alice", { customerId: "Alice" }, "customerId"],
  ["alice", { agentId: "7" }, "agentId"],
  ["alice", { agentId: "alice" }, "agentId"],
  ["a public page", { customerId: "alice" }, "customerId"],
  ["a public page", { agentId: "7" }, "agentId"],
  ["agent 7", { agentId: "7" }, undefined],
  ["agent 7", { agentId: "8" }, "agentId"],
  ["agent 7", { agentId: "7", customerId: "bob" }, undefined],
  ["an agent's key without an agent", { agentId: "7" }, "agentId"],
  ["an agent's key without an agent", { customerId: "bob" }, undefined],
  ["a service", { agentId: "7", customerId: "bob" }, undefined],
  ["a reporter", { customerId: "bob" }, "customerId"],
  ["a reporter", { agentId: "7" }, "agentId"],
  ["an administrator", { agentId: "7", customerId: "bob" }, undefined],
];

for (const [person, given, refused] of assertions) {
  test(`${person} asserts ${JSON.stringify(given)}: ${refused ?? "allowed"}`, () => {
    assert.equal(forbiddenAssertion(people[person], ids(given)), refused);
  });
}

test("everybody may assert the ids of a visit, or no ids", () => {
  for (const person of Object.values(people)) {
    assert.equal(forbiddenAssertion(person, ids({ visitId: "v", globalVisitId: "g" })), undefined);
    assert.equal(forbiddenAssertion(person, ids({})), undefined);
  }
});

/** Whether each caller may read, and may change, the sessions of alice, of bob, and of no customer. */
const reach: [Person, [boolean, boolean, boolean], [boolean, boolean, boolean]][] = [
  ["alice", [true, false, true], [true, false, true]],
  ["a public page", [false, false, true], [false, false, true]],
  ["agent 7", [true, true, true], [true, true, true]],
  ["a service", [true, true, true], [true, true, true]],
  ["a reporter", [true, true, true], [false, false, true]],
  ["an administrator", [true, true, true], [true, true, true]],
];

for (const [person, reads, changes] of reach) {
  test(`${person} reads and changes the sessions within its reach only`, () => {
    const owners = ["alice", "bob", null];
    const read = readScope(people[person], null);
    const change = changeScope(people[person]);
    assert.deepEqual(
      owners.map((owner) => isWithin(owner, read)),
      reads,
    );
    assert.deepEqual(
      owners.map((owner) => isWithin(owner, change)),
      changes,
    );
  });
}

test("a request that names a customer retrieves only that customer's sessions (contract.md#rule-4)", () => {
  for (const person of ["agent 7", "a service", "an administrator"] as const) {
    const scope = readScope(people[person], "alice");
    assert.equal(isWithin("alice", scope), true);
    assert.equal(isWithin("bob", scope), false);
    assert.equal(isWithin(null, scope), true);
  }
});

test("naming itself does not extend the reach of a customer", () => {
  assert.equal(isWithin("bob", readScope(people.alice, "bob")), false);
  assert.equal(isWithin("alice", readScope(people.alice, "alice")), true);
});

test("callers find the sessions that they may list: a customer not those without a customer", () => {
  const owners = ["alice", "bob", null];
  const found = (person: Person) => owners.map((customerId) => isFindable({ customerId }, findableBy(people[person])));
  assert.deepEqual(found("alice"), [true, false, false]);
  assert.deepEqual(found("a public page"), [false, false, false]);
  for (const person of ["agent 7", "a service", "a reporter", "an administrator"] as const) {
    assert.deepEqual(found(person), [true, true, true], person);
  }
});
