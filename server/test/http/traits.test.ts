// runs: once

import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { AuditPage, EndReceipt, SessionInfo, SessionList } from "@antechamber/client/protocol";
import { handleOf } from "../../src/session/id.ts";
import type { Lifetimes } from "../../src/session/lifetime.ts";
import { type Answer, type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import type { TestServer } from "../support/in-process.ts";
import { DAY, HOUR, MINUTE } from "../support/sessions.ts";

const lifetimes: Lifetimes = {
  anonymous: { idle: 30 * MINUTE, total: DAY },
  recognized: { idle: 30 * MINUTE, total: DAY },
  profiles: new Map([
    ["remember", { idle: 30 * DAY, total: 90 * DAY }],
    ["kiosk", { idle: 2 * MINUTE, total: HOUR }],
  ]),
};
const as = (customerId: string) => ({ gkc_customerId: customerId });
const idleOf = ({ lastActiveAt, expiresAt }: SessionInfo) => Date.parse(expiresAt) - Date.parse(lastActiveAt);
/** Returns the fault of the body member `name`, the only fault in the refusal. */
function faultOf(answer: Answer, name: string): string {
  const { errors = [] } = problemOf(answer, 400, "invalid-request");
  assert.deepEqual(
    errors.map((fault) => [fault.in, fault.name]),
    [["body", name]],
  );
  return errors[0]?.detail ?? "";
}

onEachEngine(({ test, serve }) => {
  let server: TestServer;
  let api: Api;
  before(async () => {
    server = await serve({ frozen: true, config: { lifetimes, basePaths: [{ path: "/v1", dialect: "8.5.1" }] } });
    api = createApi(server.url);
  });
  after(() => server[Symbol.asyncDispose]());

  const list = async (query: string) => {
    const { text } = await api.call("GET", `/sessions?${query}`);
    return (JSON.parse(text) as SessionList).sessions;
  };

  test("contract.md#rule-10: a session has the lifetimes of the profile that it was created with", async () => {
    const answer = await api.create({ json: { profile: "remember", visitId: "v" } });
    const session = sessionOf(answer);
    assert.deepEqual(Object.keys(session).slice(-2), ["expiresAt", "profile"]);
    assert.equal(session.profile, "remember");
    assert.equal(idleOf(session), 30 * DAY);
    server.pass(29 * DAY);
    const found = sessionOf(await api.retrieve(session.sessionId));
    assert.deepEqual([found.sessionId, found.profile], [session.sessionId, "remember"]);
    assert.equal(idleOf(found), 30 * DAY);
    server.pass(30 * DAY);
    assert.notEqual(sessionOf(await api.retrieve(session.sessionId)).sessionId, session.sessionId);
  });

  test("contract.md#rule-10: an update with only a profile counts from then on, and may replace it", async () => {
    const { sessionId, createdAt } = sessionOf(await api.create());
    server.pass(10 * MINUTE);
    const kiosk = sessionOf(await api.update(sessionId, { json: { profile: "kiosk" } }));
    assert.deepEqual([kiosk.sessionId, kiosk.profile, idleOf(kiosk)], [sessionId, "kiosk", 2 * MINUTE]);
    for (const none of [null, "", undefined]) {
      const json = { profile: none, visitId: "visit of a kiosk" };
      assert.equal(sessionOf(await api.update(sessionId, { json })).profile, "kiosk");
    }
    server.pass(2 * MINUTE - 1);
    const json = { profile: "remember", label: "Phone" };
    const remembered = sessionOf(await api.update(sessionId, { json, headers: as("c") }));
    assert.equal(idleOf(remembered), 30 * DAY);
    assert.deepEqual(Object.keys(remembered).slice(-3), ["expiresAt", "profile", "label"]);
    for (let day = 0; day < 4; day++) {
      server.pass(20 * DAY);
      sessionOf(await api.update(sessionId, { json: { label: `Day ${day}` } }));
    }
    const last = sessionOf(await api.retrieve(sessionId));
    assert.equal(Date.parse(last.expiresAt), Date.parse(createdAt) + 90 * DAY);
  });

  test("contract.md#rule-10: a profile whose total life has passed ends the session with the update", async () => {
    const { sessionId } = sessionOf(await api.create({ json: { profile: "remember" } }));
    server.pass(2 * HOUR);
    const session = sessionOf(await api.update(sessionId, { json: { profile: "kiosk" } }));
    assert.equal(Date.parse(session.expiresAt) - Date.parse(session.createdAt), HOUR);
    problemOf(await api.update(sessionId, { json: { profile: "remember" } }), 404, "session-not-found");
  });

  test("contract.md#rule-10: an unknown profile is refused, and nothing of the request is applied", async () => {
    const { sessionId } = sessionOf(await api.create());
    for (const profile of ["Remember", "remember ", "re", "__proto__", "toString"]) {
      const requests = [
        () => api.create({ json: { profile } }),
        () => api.update(sessionId, { json: { profile, visitId: "never" } }),
      ];
      for (const request of requests) {
        const detail = faultOf(await request(), "profile");
        assert.equal(detail, "profile is not one of the profiles remember, kiosk.");
      }
    }
    assert.match(faultOf(await api.create({ json: { profile: 1 } }), "profile"), /is a number; .* are strings/);
    assert.match(faultOf(await api.create({ json: { profile: {} } }), "profile"), /is not a string/);
    assert.deepEqual(sessionOf(await api.retrieve(sessionId)).visitId, null);
    await using plain = await serve();
    const detail = faultOf(await createApi(plain.url).create({ json: { profile: "remember" } }), "profile");
    assert.equal(detail, "profile is given, but the setting profiles has none.");
  });

  test("contract.md#rule-11: a label is shown, replaced, and kept across a restart", async () => {
    const { sessionId } = sessionOf(await api.create({ json: { label: "Firefox on Windows" } }));
    const labels = ["x", "😀".repeat(128), 'a "quoted" \\ läbel\u2028', "  ", "__proto__"];
    for (const label of labels) {
      const changed = sessionOf(await api.update(sessionId, { json: { label } }));
      assert.equal(changed.label, label);
      assert.equal("profile" in changed, false);
      assert.deepEqual(sessionOf(await api.retrieve(sessionId)), changed);
    }
    for (const label of [null, "", undefined]) {
      const answer = await api.update(sessionId, { json: { label, globalVisitId: "g" } });
      assert.equal(sessionOf(answer).label, "__proto__");
    }
    await server.restart();
    api = createApi(server.url);
    assert.equal(sessionOf(await api.retrieve(sessionId)).label, "__proto__");
  });

  test("contract.md#rule-11: a label that is too long or has control characters is refused", async () => {
    const faulty: [label: unknown, fault: RegExp][] = [
      ["x".repeat(129), /is longer than 128 characters/],
      ["😀".repeat(129), /is longer than 128 characters/],
      ["a\nb", /contains a control character/],
      ["\u0085", /contains a control character/],
      ["\ud800", /is not well-formed Unicode/],
      [7, /is a number/],
      [["Phone"], /is not a string/],
    ];
    for (const [label, fault] of faulty) assert.match(faultOf(await api.create({ json: { label } }), "label"), fault);
  });

  test("contract.md#rule-5: an update without ids, profile and label is refused", async () => {
    const { sessionId } = sessionOf(await api.create({ json: { label: "Phone" } }));
    for (const json of [{}, { profile: "" }, { label: null, profile: null }]) {
      const { detail } = problemOf(await api.update(sessionId, { json }), 400, "nothing-to-associate");
      assert.match(detail, /profile, label or rotate in the body/);
    }
  });

  test("a request with an idempotency key is repeated with its profile and label, and with no others", async () => {
    const headers = { "idempotency-key": "labelled" };
    const json = { profile: "kiosk", label: "Lobby" };
    const first = sessionOf(await api.create({ headers, json }));
    assert.deepEqual(sessionOf(await api.create({ headers, json })), first);
    for (const other of [{}, { profile: "kiosk" }, { ...json, label: "Hall" }, { ...json, profile: "remember" }]) {
      problemOf(await api.create({ headers, json: other }), 422, "idempotency-key-reused");
    }
  });

  test("sessions are listed and ended by their label", async () => {
    const label = "Läptop & co";
    const of = (customerId: string, more = {}) =>
      api.create({ headers: as(customerId), json: { label, ...more } }).then(sessionOf);
    const anna = await of("anna", { profile: "remember" });
    const bob = await of("bob");
    await api.create({ headers: as("anna"), json: { label: "Läptop" } });
    const query = `label=${encodeURIComponent(label)}`;
    const found = await list(query);
    assert.deepEqual(
      found.map(({ handle }) => handle),
      [handleOf(bob.sessionId), handleOf(anna.sessionId)],
    );
    assert.deepEqual([found[0]?.label, found[0]?.profile], [label, undefined]);
    assert.deepEqual([found[1]?.label, found[1]?.profile], [label, "remember"]);
    assert.equal((await list(`${query}&customerId=anna`)).length, 1);
    for (const wrong of ["label=", `label=${"x".repeat(129)}`, "label=a%0A"]) {
      problemOf(await api.call("GET", `/sessions?${wrong}`), 400, "invalid-request");
    }
    const end = (json: unknown) => api.call("POST", "/sessions/end", { json });
    problemOf(await end({ label: "" }), 400, "invalid-request");
    const receipt = JSON.parse((await end({ label, customerId: "bob" })).text) as EndReceipt;
    assert.equal(receipt.sessions, 1);
    assert.equal((await list(`${query}&live=true`)).length, 1);
    const { entries } = JSON.parse((await api.call("GET", "/audit")).text) as AuditPage;
    const details = entries.find(({ what }) => what === "sessions.end")?.details ?? {};
    assert.match(String(details["label"]), /^[\w-]{16,}$/, "a keyed hash");
    assert.ok(!JSON.stringify(entries).includes(label));
  });

  test("an export has the profile and the label of a session, and an erasure removes them", async () => {
    const json = { profile: "remember", label: "Old phone" };
    await api.create({ headers: as("erased"), json });
    const lines = (await api.call("GET", "/customers/erased/export")).text.split("\n");
    const line = JSON.parse(lines.find((text) => text.includes('"session"')) ?? "{}") as Partial<SessionInfo>;
    assert.deepEqual({ profile: line.profile, label: line.label }, json);
    assert.equal((await api.call("DELETE", "/customers/erased")).status, 200);
    assert.deepEqual(await list("label=Old%20phone"), []);
  });

  test("in dialect 8.5.1 an update that creates a session gives it the profile and the label", async () => {
    const json = { profile: "remember", label: "Phone" };
    const { text } = await api.call("POST", "/v1/sessions/unknown", { json });
    const { response, ...shown } = JSON.parse(text) as SessionInfo & { response: SessionInfo };
    assert.deepEqual([shown.profile, shown.label, response.label], ["remember", "Phone", "Phone"]);
    const update = await api.call("POST", `/v1/sessions/${shown.sessionId}`, { json: { label: "Tablet" } });
    const changed = JSON.parse(update.text) as SessionInfo;
    assert.deepEqual([changed.sessionId, changed.label], [shown.sessionId, "Tablet"]);
  });
});
