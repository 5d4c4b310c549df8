// runs: once

import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { EndReceipt, SessionInfo, SessionList } from "@antechamber/client/protocol";
import { handleOf } from "../../src/session/id.ts";
import { type Answer, type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { keyFor, serve as serveInProcess, type TestServer } from "../support/in-process.ts";
import { apiOf, type Holder, holders, serveKeys } from "../support/key-holders.ts";
import { introduce } from "../support/people.ts";
import { post, requestsOf, visits } from "../support/records.ts";

/*
 * A customer's own sessions (contract.md#finding-and-ending-many): lists, `isCurrent`, and ending all others. Each test
 * has a customer of its own.
 */

/** The keys of customers who each appear in one test. */
const keys = {
  carla: keyFor({ role: "customer", customerId: "carla" }),
  dora: keyFor({ role: "customer", customerId: "dora" }),
  erik: keyFor({ role: "customer", customerId: "erik" }),
  finn: keyFor({ role: "customer", customerId: "finn" }),
  gina: keyFor({ role: "customer", customerId: "gina" }),
  hugo: keyFor({ role: "customer", customerId: "hugo" }),
  ivan: keyFor({ role: "customer", customerId: "ivan" }),
  jana: keyFor({ role: "customer", customerId: "jana" }),
};

onEachEngine(({ test, empty }) => {
  let server: TestServer;
  before(async () => {
    server = await serveKeys({ ...holders, ...keys }, { ...(await empty()) });
  });
  after(() => server[Symbol.asyncDispose]());

  const api = (person: Holder | keyof typeof keys): Api => apiOf(server, { ...holders, ...keys }[person]);

  /** Creates `count` sessions of a customer and returns them, newest first. */
  async function create(customerId: string, count: number): Promise<SessionInfo[]> {
    const made: SessionInfo[] = [];
    for (let i = 0; i < count; i++) {
      made.unshift(sessionOf(await api("agent").create({ headers: { gkc_customerId: customerId } })));
    }
    return made;
  }

  const names = (sessions: readonly SessionInfo[]) => sessions.map(({ sessionId }) => handleOf(sessionId));

  test("a customer lists its own sessions, whatever the other conditions", async () => {
    const own = await create("carla", 3);
    await create("bob", 1);
    await api("carla").create();
    const handles = names(own);
    const listed = async (query = "") => handlesIn(await api("carla").call("GET", `/sessions${query}`));
    assert.deepEqual(await listed(), handles);
    assert.deepEqual(await listed("?customerId=carla&live=true"), handles);
    assert.deepEqual(await listed(`?handle=${handles[1]}`), [handles[1]]);
    const since = own[0]?.lastActiveAt ?? "";
    const lately = own.filter(({ lastActiveAt }) => lastActiveAt >= since);
    assert.deepEqual(await listed(`?activeSince=${encodeURIComponent(since)}`), names(lately));
    assert.deepEqual(await listed("?activeSince=2126-11-23T10:00:00Z"), []);
    const [theirs] = names(await create("bob", 1));
    assert.deepEqual(await listed(`?handle=${theirs}`), []);
    const { sessions } = listIn(await api("carla").call("GET", "/sessions?limit=1"));
    assert.ok(sessions.every((session) => !("sessionId" in session) && !("isCurrent" in session)));
  });

  test("a handle with a counter that no handle has names no session", async () => {
    const [session] = await create("lena", 1);
    const { sessionId = "" } = session ?? {};
    const bytes = Buffer.from(handleOf(sessionId), "base64url");
    // SQLite stores 12 bits of the counter, which are the same.
    bytes.writeUInt16BE(bytes.readUInt16BE(6) + 4096, 6);
    const handle = bytes.toString("base64url");
    problemOf(await api("agent").call("GET", requestsOf(handle)), 404, "session-not-found");
    problemOf(await api("agent").call("DELETE", `/sessions/${handle}`), 404, "session-not-found");
    problemOf(await api("agent").call("GET", `/sessions?handle=${handle}`), 400, "invalid-request");
    assert.deepEqual(handlesIn(await api("agent").call("GET", "/sessions?customerId=lena&live=true")), [
      handleOf(sessionId),
    ]);
    assert.equal((await api("agent").call("HEAD", `/sessions/${sessionId}`)).status, 200);
  });

  test("a filter that names another customer is refused", async () => {
    const [theirs] = await create("bob", 1);
    const answer = await api("carla").call("GET", "/sessions?customerId=bob");
    assert.match(problemOf(answer, 403, "identity-mismatch").detail, /customerId/);
    const json = { customerId: "bob" };
    problemOf(await api("carla").call("POST", "/sessions/end", { json }), 403, "identity-mismatch");
    assert.equal((await api("bob").call("HEAD", `/sessions/${theirs?.sessionId}`)).status, 200);
  });

  test("the credential of a public page has no sessions of its own", async () => {
    problemOf(await api("page").call("GET", "/sessions"), 403, "role-not-permitted");
    const json = { all: true };
    problemOf(await api("page").call("POST", "/sessions/end", { json }), 403, "role-not-permitted");
  });

  test("a list says which session is the current one, in either spelling of the header", async () => {
    const own = await create("dora", 3);
    const current = own[1] as SessionInfo;
    for (const person of ["dora", "agent", "service", "reporter", "administrator"] as const) {
      for (const name of ["gkc_sessionId", "gkc-sessionId"]) {
        const headers = { [name]: current.sessionId };
        const { sessions } = listIn(await api(person).call("GET", "/sessions?customerId=dora", { headers }));
        assert.deepEqual(
          sessions.map(({ isCurrent }) => isCurrent),
          [false, true, false],
        );
      }
    }
    const forged = `${current.sessionId.slice(0, -1)}${current.sessionId.endsWith("A") ? "B" : "A"}`;
    for (const id of ["", "x", forged, handleOf(current.sessionId)]) {
      const headers = { gkc_sessionId: id };
      const { sessions } = listIn(await api("dora").call("GET", "/sessions", { headers }));
      assert.ok(sessions.length === 3 && sessions.every((session) => !("isCurrent" in session)), id);
    }
    const headers = { gkc_sessionId: current.sessionId, "gkc-sessionId": forged };
    problemOf(await api("dora").call("GET", "/sessions", { headers }), 400, "invalid-request");
    // An id that opens nothing any more is nobody's current session.
    await api("dora").call("DELETE", `/sessions/${current.sessionId}`);
    const ended = { headers: { gkc_sessionId: current.sessionId } };
    const { sessions } = listIn(await api("dora").call("GET", "/sessions", ended));
    assert.deepEqual(
      sessions.map(({ isCurrent }) => isCurrent),
      [false, false, false],
    );
  });

  test("after a rotation only the new id is that of the current session; as an exception both name it", async () => {
    const [own, other] = (await create("jana", 2)) as [SessionInfo, SessionInfo];
    const rotated = sessionOf(await api("service").update(own.sessionId, { json: { rotate: true } }));
    assert.notEqual(rotated.sessionId, own.sessionId);
    const current = async (id: string) => {
      const headers = { gkc_sessionId: id };
      const { sessions } = listIn(await api("jana").call("GET", "/sessions", { headers }));
      return sessions.map(({ isCurrent }) => isCurrent);
    };
    assert.deepEqual(await current(rotated.sessionId), [true, false]);
    assert.deepEqual(await current(own.sessionId), [false, false]);
    const except = own.sessionId;
    assert.deepEqual(await endedBy(api("jana"), { except, dryRun: true }), { sessions: 1, next: null });
    assert.deepEqual(await endedBy(api("jana"), { except: rotated.sessionId }), { sessions: 1, next: null });
    assert.equal((await api("jana").call("HEAD", `/sessions/${other.sessionId}`)).status, 404);
    assert.equal((await api("jana").call("HEAD", `/sessions/${rotated.sessionId}`)).status, 200);
  });

  test("a customer names its own sessions by their handles, and no others", async () => {
    const [own] = (await create("erik", 1)) as [SessionInfo];
    const [theirs] = (await create("bob", 1)) as [SessionInfo];
    const json = { visitId: "erik's tab" };
    const anonymous = sessionOf(await api("erik").create({ json }));
    await post(api("erik"), own.sessionId, visits(2));
    for (const other of [theirs, anonymous]) {
      const handle = handleOf(other.sessionId);
      problemOf(await api("erik").call("GET", requestsOf(handle)), 404, "session-not-found");
      problemOf(await api("erik").call("DELETE", `/sessions/${handle}`), 404, "session-not-found");
      assert.equal((await api("administrator").call("HEAD", `/sessions/${other.sessionId}`)).status, 200);
    }
    const handle = handleOf(own.sessionId);
    const timeline = await api("erik").call("GET", requestsOf(handle));
    assert.equal((JSON.parse(timeline.text) as { total: number }).total, 2);
    assert.equal((await api("erik").call("DELETE", `/sessions/${handle}`)).status, 204);
    assert.equal((await api("erik").call("HEAD", `/sessions/${own.sessionId}`)).status, 404);
  });

  test("a customer signs out everywhere else", async () => {
    const own = await create("finn", 4);
    const [theirs] = (await create("bob", 1)) as [SessionInfo];
    const current = own[2] as SessionInfo;
    const isLive = async ({ sessionId }: SessionInfo) =>
      (await api("administrator").call("HEAD", `/sessions/${sessionId}`)).status === 200;
    const live = async () => Promise.all([...own, theirs].map(isLive));
    const audited = async () => JSON.parse((await api("administrator").call("GET", "/audit?limit=1")).text) as object;
    const trail = await audited();

    const except = current.sessionId;
    assert.deepEqual(await endedBy(api("finn"), { except, dryRun: true }), { sessions: 3, next: null });
    assert.deepEqual(await live(), [true, true, true, true, true]);
    assert.deepEqual(await endedBy(api("finn"), { except }), { sessions: 3, next: null });
    assert.deepEqual(await live(), [false, false, true, false, true]);
    assert.deepEqual(await endedBy(api("finn"), { except: handleOf(except), all: true }), { sessions: 0, next: null });
    assert.deepEqual(await endedBy(api("finn"), { all: true }), { sessions: 1, next: null });
    assert.deepEqual(await live(), [false, false, false, false, true]);
    // It is not an act: so do customers sign out.
    assert.deepEqual(await audited(), trail);
  });

  test("a customer's request that names no session ends none", async () => {
    const [own] = (await create("gina", 1)) as [SessionInfo];
    const faulty = [{}, { except: "" }, { except: null }, { except: "x" }, { except: "A".repeat(23) }, { except: 7 }];
    for (const json of faulty) {
      problemOf(await api("gina").call("POST", "/sessions/end", { json }), 400, "invalid-request");
    }
    assert.equal((await api("gina").call("HEAD", `/sessions/${own.sessionId}`)).status, 200);
  });

  test("an operator ends all sessions of a customer except one; except alone is no condition", async () => {
    const own = await create("hugo", 3);
    const except = handleOf(own[0]?.sessionId ?? "");
    for (const person of ["agent", "service", "administrator"] as const) {
      problemOf(await api(person).call("POST", "/sessions/end", { json: { except } }), 400, "invalid-request");
    }
    const json = { all: true, except };
    problemOf(await api("service").call("POST", "/sessions/end", { json }), 403, "role-not-permitted");
    assert.deepEqual(await endedBy(api("service"), { customerId: "hugo", except }), { sessions: 2, next: null });
    const { text } = await api("administrator").call("GET", "/audit?limit=1");
    const { entries } = JSON.parse(text) as { entries: { details: Record<string, unknown> }[] };
    assert.equal(entries[0]?.details["except"], except);
    assert.deepEqual(handlesIn(await api("hugo").call("GET", "/sessions?live=true")), [except]);
  });

  test("more sessions than one request ends are ended by following next", async () => {
    const many: Answer[] = [];
    const createOne = () => api("agent").create({ headers: { gkc_customerId: "ivan" } });
    // On a busy machine, thousands of connections at the same time would be closed as idle before they are used.
    while (many.length < 2100) many.push(...(await Promise.all(Array.from({ length: 100 }, createOne))));
    const except = sessionOf(many[1000] as Answer).sessionId;
    let sessions = 0;
    let requests = 0;
    for (let cursor: string | null | undefined; cursor !== null; requests++) {
      const part = await endedBy(api("ivan"), { except, cursor: cursor ?? null });
      sessions += part.sessions;
      cursor = part.next;
    }
    assert.deepEqual([sessions, requests], [2099, 2]);
    const left = await api("ivan").call("GET", `/sessions?live=true&handle=${handleOf(except)}`);
    assert.deepEqual(handlesIn(left), [handleOf(except)]);
  });

  for (const mode of ["jwt", "proxy"] as const) {
    test(`mode ${mode}: a customer lists its sessions and ends all others`, async () => {
      const none = { customerId: null, agentId: null };
      const people = {
        alice: { role: "customer", ...none, customerId: "alice" },
        service: { role: "service", ...none },
      } as const;
      await using known = await introduce(mode, people);
      await using other = await serveInProcess({ config: { ...known.config, ...(await empty()) }, keys: known.keys });
      const [alice, service] = [
        createApi(other.url, known.headers.alice),
        createApi(other.url, known.headers.service),
      ] as const;
      const headers = { gkc_customerId: "alice" };
      const made = [sessionOf(await service.create({ headers })), sessionOf(await alice.create({ headers }))];
      const current = { gkc_sessionId: made[1]?.sessionId ?? "" };
      const { sessions } = listIn(await alice.call("GET", "/sessions", { headers: current }));
      assert.deepEqual(
        sessions.map(({ handle, isCurrent }) => [handle, isCurrent]),
        names(made.toReversed()).map((handle, i) => [handle, i === 0]),
      );
      assert.deepEqual(await endedBy(alice, { except: current.gkc_sessionId }), { sessions: 1, next: null });
      assert.deepEqual(handlesIn(await alice.call("GET", "/sessions?live=true")), [handleOf(current.gkc_sessionId)]);
    });
  }
});

function listIn(answer: Answer): SessionList {
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as SessionList;
}

function handlesIn(answer: Answer): string[] {
  return listIn(answer).sessions.map(({ handle }) => handle);
}

async function endedBy(api: Api, json: unknown): Promise<EndReceipt> {
  const answer = await api.call("POST", "/sessions/end", { json });
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as EndReceipt;
}
