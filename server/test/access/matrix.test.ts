// runs: once

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { SessionInfo } from "@antechamber/client/protocol";
import type { AuthMode } from "../../src/config/config.ts";
import type { Principal } from "../../src/session/permissions.ts";
import { type Answer, type Api, createApi, sessionOf } from "../support/api.ts";
import { serve } from "../support/in-process.ts";
import { introduce } from "../support/people.ts";
import { ask, outcomeOf, type Target } from "./requests.ts";
import { assertions, type Case, cases, operations, type SessionOf, sessions } from "./table.ts";

/*
 * Sends one request to a real server for each combination of mode, person, asserted ids, operation and session, and
 * compares the response with the handwritten table in `table.ts`.
 */

const none = { customerId: null, agentId: null };
const people = {
  alice: { role: "customer", customerId: "alice", agentId: null },
  page: { role: "customer", ...none },
  seven: { role: "agent", customerId: null, agentId: "7" },
  desk: { role: "agent", ...none },
  service: { role: "service", ...none },
  reporter: { role: "reporter", ...none },
  administrator: { role: "administrator", ...none },
} as const satisfies Record<string, Principal>;
type Person = keyof typeof people;

const AT_ONCE = 64;

test("the table has every combination once", () => {
  const count = 9 * Object.keys(assertions).length * operations.length * sessions.length;
  const names = cases.map((one) => describe(one));
  assert.equal(new Set(names).size, names.length);
  assert.equal(names.length, count);
  const outcomes = new Set(cases.map(({ outcome }) => outcome));
  assert.deepEqual([...outcomes].toSorted(), [
    ...["200", "401", "403", "404", "absent", "done", "empty", "exists", "invalid", "mismatch"],
    ...["new", "none", "role", "same", "shown"],
  ]);
});

/**
 * `jwt` and `proxy` are tested on Bun only, since permissions do not depend on the runtime. Other tests cover their
 * authentication on both runtimes.
 */
const modes = "Bun" in globalThis ? (["local", "key", "jwt", "proxy"] as const) : (["local", "key"] as const);

for (const mode of modes) {
  test(`mode ${mode}: everybody may do exactly what the table permits`, async () => {
    await using known = await introduce(mode, people);
    await using server = await serve({
      config: { logLevel: "silent", ...known.config },
      keys: known.keys,
    });
    const callers = new Map<string, Api>(
      Object.keys(people).map((name) => [name, createApi(server.url, known.headers[name as Person])]),
    );
    callers.set("nobody", createApi(server.url)).set("stranger", createApi(server.url, known.stranger));
    const administrator = callers.get("administrator") as Api;
    const rows = mode === "local" ? cases.filter(({ person }) => person === "administrator") : cases;
    const shared = new Map<SessionOf, SessionInfo | undefined>();
    for (const session of sessions) shared.set(session, await newSession(session, administrator));
    const wrong: string[] = [];
    const check = async (one: Case) => {
      const session = changing.includes(one.operation)
        ? await newSession(one.session, administrator)
        : shared.get(one.session);
      const fault = await faultOf(one, mode, callers.get(one.person) as Api, session);
      if (fault !== undefined) wrong.push(`${describe(one)}: ${fault}`);
      const effect = await faultOfEffect(one, session, administrator);
      if (effect !== undefined) wrong.push(`${describe(one)}: ${effect}`);
    };
    const [last, rest] = [rows.filter(erases), rows.filter((one) => !erases(one))];
    for (let i = 0; i < rest.length; i += AT_ONCE) {
      await Promise.all(rest.slice(i, i + AT_ONCE).map(check));
    }
    for (const session of shared.values()) assert.ok(!(await isChanged(session, administrator)));
    for (const one of last) {
      const other = await newSession(one.session === "bob's" ? "alice's" : "bob's", administrator);
      await check(one);
      if (await isChanged(other, administrator)) wrong.push(`${describe(one)}: others are gone`);
    }
    assert.deepEqual(wrong, []);
  });
}

/** The operations that can change a session: each of their requests gets a new session. */
const changing: readonly string[] = ["update", "end", "end-many", "erase", "handle-end"];

/** Returns whether a request removes sessions that other requests use. Such requests are sent last, one at a time. */
function erases({ operation, outcome }: Case): boolean {
  return operation === "erase" && ["done", "empty"].includes(outcome);
}

function describe({ person, asserts, operation, session }: Case): string {
  return `${person} asserting ${asserts} asks for ${operation} of ${session}`;
}

const owners = {
  "alice's": { gkc_customerId: "alice" },
  "bob's": { gkc_customerId: "bob" },
  "nobody's": {},
  "agent 7's": { gkc_agentId: "7" },
} as const satisfies Partial<Record<SessionOf, object>>;

/** The customer that an export or erasure names for each session; `null` and `carol` have no sessions. */
const customers: Readonly<Record<SessionOf, string>> = {
  "alice's": "alice",
  "bob's": "bob",
  "nobody's": "null",
  "agent 7's": "7",
  unknown: "carol",
};

const visit = { globalVisitId: "g" };

async function newSession(session: SessionOf, administrator: Api): Promise<SessionInfo | undefined> {
  if (session === "unknown") return undefined;
  const json = { ...visit, visitId: randomUUID() };
  return sessionOf(await administrator.create({ headers: owners[session], json }));
}

async function isChanged(before: SessionInfo | undefined, administrator: Api): Promise<boolean> {
  if (before === undefined) return false;
  const after = sessionOf(await administrator.retrieve(before.sessionId));
  return JSON.stringify(idsIn(after)) !== JSON.stringify(idsIn(before));
}

/** Returns what is wrong with the session after a request that could change it, or `undefined`. */
async function faultOfEffect(
  { operation, outcome }: Case,
  session: SessionInfo | undefined,
  administrator: Api,
): Promise<string | undefined> {
  if (session === undefined || !changing.includes(operation)) return undefined;
  if (outcome !== "done") {
    const changed = await isChanged(session, administrator);
    return changed ? "it was refused, and changed the session" : undefined;
  }
  if (operation === "update") return undefined;
  const { status } = await administrator.call("HEAD", `/sessions/${session.sessionId}`);
  return status === 404 ? undefined : "it was done, and the session is still there";
}

/** Sends the request of a case and returns what is wrong with the response, or `undefined`. */
async function faultOf(
  one: Case,
  mode: AuthMode,
  caller: Api,
  session: SessionInfo | undefined,
): Promise<string | undefined> {
  const target: Target = {
    id: session?.sessionId ?? "A".repeat(40),
    visitId: session?.visitId ?? randomUUID(),
    customerId: customers[one.session],
  };
  const answer = await ask(one, caller, target);
  const outcome = outcomeOf(one, answer, target);
  // In mode proxy, a missing secret and a wrong secret get the same response.
  const expected = mode === "proxy" && one.outcome === "none" ? "invalid" : one.outcome;
  if (outcome !== expected) return `${outcome}, not ${expected}`;
  return outcome === "new" ? leakIn(answer, one) : undefined;
}

/** Checks that a new session has the ids that the request asserts, and none of the session in the path. */
function leakIn(answer: Answer, { operation, asserts }: Case): string | undefined {
  // A proxy forwards the headers of its client, so /forward-auth ignores identity headers.
  const given: Readonly<Record<string, string>> = operation === "forward-auth" ? {} : assertions[asserts];
  const customerId = given["gkc_customerId"] ?? given["gkc-customerId"] ?? null;
  const agentId = given["gkc_agentId"] ?? given["gkc-agentId"] ?? null;
  const expected = [customerId, agentId, null];
  const found = operation === "forward-auth" ? idsInHeaders(answer) : idsIn(sessionOf(answer));
  return found.join() === expected.join() ? undefined : `a new session with ${found.join()}`;
}

function idsIn({ customerId, agentId, globalVisitId }: SessionInfo): (string | null)[] {
  return [customerId, agentId, globalVisitId];
}

function idsInHeaders({ headers }: Answer): (string | null)[] {
  return ["gkc-customerid", "gkc-agentid", "gkc-globalvisitid"].map((name) => headers.get(name));
}
