import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionInfo, Timeline } from "@antechamber/client/protocol";
import type { AuthMode } from "../../src/config/config.ts";
import type { Principal } from "../../src/session/access.ts";
import { type Answer, type Api, createApi, sessionOf } from "../support/api.ts";
import { serve } from "../support/in-process.ts";
import { introduce } from "../support/people.ts";
import { assertions, type Case, cases, operations, type SessionOf, sessions } from "./table.ts";

/*
 * Every mode, person, assertion, operation and session: a request each over a real server, against the
 * table that was written by hand.
 */

const none = { customerId: null, agentId: null };
const people = {
  alice: { role: "customer", customerId: "alice", agentId: null },
  page: { role: "customer", ...none },
  seven: { role: "agent", customerId: null, agentId: "7" },
  desk: { role: "agent", ...none },
  reporter: { role: "reporter", ...none },
  administrator: { role: "administrator", ...none },
} as const satisfies Record<string, Principal>;
type Person = keyof typeof people;

/** How many requests are under way at a time. */
const AT_ONCE = 64;

test("the table has every combination once", () => {
  const count = 8 * Object.keys(assertions).length * operations.length * sessions.length;
  const names = cases.map((one) => describe(one));
  assert.equal(new Set(names).size, names.length);
  assert.equal(names.length, count);
  const outcomes = new Set(cases.map(({ outcome }) => outcome));
  assert.deepEqual([...outcomes].toSorted(), [
    ...["200", "401", "403", "404", "absent", "done", "exists", "invalid", "mismatch"],
    ...["new", "none", "role", "same", "shown"],
  ]);
});

for (const mode of ["local", "key", "jwt", "proxy"] as const) {
  test(`mode ${mode}: everybody may do what the table says, and no more`, async () => {
    await using known = await introduce(mode, people);
    await using server = await serve({
      config: { logLevel: "silent", ...known.config },
      keys: known.keys,
    });
    const callers = new Map<string, Api>(
      Object.keys(people).map((name) => [
        name,
        createApi(server.url, known.headers[name as Person]),
      ]),
    );
    callers
      .set("nobody", createApi(server.url))
      .set("stranger", createApi(server.url, known.stranger));
    const administrator = callers.get("administrator") as Api;
    const rows =
      mode === "local" ? cases.filter(({ person }) => person === "administrator") : cases;
    const shared = new Map<SessionOf, SessionInfo | undefined>();
    for (const session of sessions) shared.set(session, await newSession(session, administrator));
    const wrong: string[] = [];
    const check = async (one: Case) => {
      // Nothing but an update can change a session: each has one of its own.
      const session =
        one.operation === "update"
          ? await newSession(one.session, administrator)
          : shared.get(one.session);
      const fault = await faultOf(one, mode, callers.get(one.person) as Api, session);
      const isUpdate = one.operation === "update" && one.outcome !== "done";
      const changed = isUpdate && (await isChanged(session, administrator));
      if (fault !== undefined) wrong.push(`${describe(one)}: ${fault}`);
      if (changed) wrong.push(`${describe(one)}: it was refused, and changed the session`);
    };
    for (let i = 0; i < rows.length; i += AT_ONCE) {
      await Promise.all(rows.slice(i, i + AT_ONCE).map(check));
    }
    assert.deepEqual(wrong, []);
    for (const session of shared.values()) assert.ok(!(await isChanged(session, administrator)));
  });
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

const visit = { globalVisitId: "g" };

async function newSession(
  session: SessionOf,
  administrator: Api,
): Promise<SessionInfo | undefined> {
  if (session === "unknown") return undefined;
  return sessionOf(await administrator.create({ headers: owners[session], json: visit }));
}

async function isChanged(before: SessionInfo | undefined, administrator: Api): Promise<boolean> {
  if (before === undefined) return false;
  const after = sessionOf(await administrator.retrieve(before.sessionId));
  return JSON.stringify(idsIn(after)) !== JSON.stringify(idsIn(before));
}

/** What is wrong with the answer to a request. */
async function faultOf(
  one: Case,
  mode: AuthMode,
  caller: Api,
  session: SessionInfo | undefined,
): Promise<string | undefined> {
  const id = session?.sessionId ?? "A".repeat(40);
  const answer = await ask(one, caller, id);
  const outcome = outcomeOf(one, answer, id);
  // To the trusted proxy a request without its word is like one with a false word.
  const expected = mode === "proxy" && one.outcome === "none" ? "invalid" : one.outcome;
  if (outcome !== expected) return `${outcome}, not ${expected}`;
  return outcome === "new" ? leakIn(answer, one) : undefined;
}

function ask({ asserts, operation }: Case, caller: Api, id: string): Promise<Answer> {
  const headers = assertions[asserts];
  const path = `/sessions/${id}`;
  switch (operation) {
    case "create":
      return caller.create({ headers });
    case "retrieve":
      return caller.retrieve(id, { headers });
    case "head":
      return caller.call("HEAD", path, { headers });
    case "update":
      return caller.update(id, { headers, json: visit });
    case "record":
      return caller.call("POST", `${path}/requests`, {
        headers,
        json: { method: "GET", path: "/" },
      });
    case "timeline":
      return caller.call("GET", `${path}/requests`, { headers });
    case "forward-auth":
      return caller.call("GET", "/forward-auth", { headers: { ...headers, "gkc-sessionid": id } });
    default:
      return caller.call("GET", "/metrics", { headers });
  }
}

const words: Readonly<Record<string, string>> = {
  "400 already-exists": "exists",
  "401 credential-required": "none",
  "401 invalid-credential": "invalid",
  "403 identity-mismatch": "mismatch",
  "403 role-not-permitted": "role",
  "404 session-not-found": "absent",
};

/** The answer in the words of the table; whatever these do not say is told as it is. */
function outcomeOf({ operation }: Case, answer: Answer, id: string): string {
  const { status, headers, text } = answer;
  if (operation === "head") return String(status);
  if (status >= 400) {
    const { code } = JSON.parse(text) as { code: string };
    return words[`${status} ${code}`] ?? `${status} ${code}`;
  }
  switch (operation) {
    case "create":
      return status === 200 ? "new" : String(status);
    case "retrieve":
      return sessionOf(answer).sessionId === id ? "same" : "new";
    case "update":
      return sessionOf(answer).sessionId === id ? "done" : "another session";
    case "record":
      return status === 202 ? "done" : String(status);
    case "timeline":
      return (JSON.parse(text) as Timeline).sessionId === id ? "shown" : "another timeline";
    case "forward-auth":
      return headers.get("gkc-sessionid") === id ? "same" : "new";
    default:
      return status === 200 ? "shown" : String(status);
  }
}

/** A new session has what the request asserted, and nothing of the session in the path. */
function leakIn(answer: Answer, { operation, asserts }: Case): string | undefined {
  // A proxy's sub-request has the headers of its client, in which nobody believes.
  const given: Readonly<Record<string, string>> =
    operation === "forward-auth" ? {} : assertions[asserts];
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
