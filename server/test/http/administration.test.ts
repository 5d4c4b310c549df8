// runs: once

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type {
  AuditPage,
  EndReceipt,
  ErasureReceipt,
  SessionList,
  SessionSummary,
  Timeline,
} from "@antechamber/client/protocol";
import { handleOf } from "../../src/session/id.ts";
import { type Answer, type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { keyFor, type TestServer } from "../support/in-process.ts";
import { apiOf, type Holder, holders, serveKeys } from "../support/key-holders.ts";
import { newSession, post, requestsOf, visits } from "../support/records.ts";

onEachEngine(({ test, serve, empty }) => {
  let server: TestServer;
  before(async () => {
    server = await serveKeys(holders, {
      ...(await empty()),
      basePaths: [{ path: "/v1", dialect: "8.5.0" }],
    });
  });
  after(() => server[Symbol.asyncDispose]());

  const api = (person: Holder): Api => apiOf(server, holders[person]);
  /** Returns a header that names the customer, in UTF-8. */
  const of = (customerId: string) => ({
    headers: { gkc_customerId: Buffer.from(customerId).toString("latin1") },
  });

  function bodyOf(answer: Answer): unknown {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    return JSON.parse(answer.text);
  }

  const list = async (query: string, person: Holder = "agent"): Promise<SessionList> =>
    bodyOf(await api(person).call("GET", `/sessions${query}`)) as SessionList;
  const end = async (json: unknown, person: Holder = "agent"): Promise<EndReceipt> =>
    bodyOf(await api(person).call("POST", "/sessions/end", { json })) as EndReceipt;
  const audit = async (query = ""): Promise<AuditPage> =>
    bodyOf(await api("administrator").call("GET", `/audit${query}`)) as AuditPage;
  const handlesOf = ({ sessions }: SessionList) => sessions.map(({ handle }) => handle);

  /** Creates `count` sessions of a customer and returns their ids, newest first. */
  async function create(customerId: string, count: number): Promise<string[]> {
    const made: string[] = [];
    for (let i = 0; i < count; i++) {
      made.unshift(sessionOf(await api("agent").create(of(customerId))).sessionId);
    }
    return made;
  }

  /** Returns the parsed lines of an export. */
  function linesOf(answer: Answer): Record<string, unknown>[] {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get("content-type"), "application/x-ndjson");
    assert.ok(answer.text.endsWith("\n"));
    return answer.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  test("sessions are listed by filter, page by page, live or not", async () => {
    const ids = await create("listed é", 7);
    await api("agent").call("DELETE", `/sessions/${ids[2]}`);
    const made = ids.map(handleOf);
    const query = `?customerId=${encodeURIComponent("listed é")}`;
    for (const person of ["agent", "reporter", "administrator"] as const) {
      assert.deepEqual(handlesOf(await list(query, person)), made);
    }
    const found: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: SessionList = await list(`${query}&limit=3&cursor=${cursor}`);
      assert.equal(page.total, cursor === "" ? 7 : null);
      found.push(...handlesOf(page));
      cursor = page.next;
    }
    assert.deepEqual(found, made);
    assert.deepEqual(handlesOf(await list(`${query}&live=true`)), made.toSpliced(2, 1));
    const [over] = (await list(`${query}&live=false`)).sessions as [SessionSummary];
    assert.deepEqual([over.handle, over.status, over.state], [made[2], "ended", "recognized"]);
    const { sessions } = await list(query);
    const since = encodeURIComponent((sessions[3] as SessionSummary).createdAt);
    assert.ok(handlesOf(await list(`${query}&since=${since}`)).length >= 4);
    assert.ok(!handlesOf(await list(`${query}&until=${since}`)).includes(made[3] as string));
    assert.deepEqual(handlesOf(await list(`${query}&state=anonymous`)), []);
    const based = await api("agent").call("GET", `/v1/sessions/${query}`);
    assert.deepEqual(handlesOf(bodyOf(based) as SessionList), made);
  });

  test("the refusal of an invalid query names every faulty parameter", async () => {
    const faulty =
      "?customerID=a&handle=a&activeSince=1e3&live=perhaps&limit=0&since=yesterday&cursor=1&state=x&visitId=a&visitId=b";
    const answer = await api("agent").call("GET", `/sessions${faulty}`);
    const { errors } = problemOf(answer, 400, "invalid-request");
    assert.deepEqual(
      new Set(errors?.map(({ in: place, name }) => `${place} ${name}`)),
      new Set(
        ["customerID", "handle", "activeSince", "live", "limit", "since", "cursor", "state", "visitId"].map(
          (n) => `query ${n}`,
        ),
      ),
    );
    for (const query of ["?limit=1001", "?limit=x", "?customerId=%00"]) {
      problemOf(await api("agent").call("GET", `/sessions${query}`), 400, "invalid-request");
    }
    for (const query of ["?limit=0", "?cursor=x", "?before=1"]) {
      problemOf(await api("administrator").call("GET", `/audit${query}`), 400, "invalid-request");
    }
  });

  test("an empty filter value is refused, and never matches every session", async () => {
    const conditions = [
      "agentId",
      "customerId",
      "visitId",
      "globalVisitId",
      "handle",
      "state",
      "since",
      "until",
      "activeSince",
    ];
    for (const name of [...conditions, "live", "limit"]) {
      for (const query of [`?${name}=`, `?${name}`, `?customerId=c&${name}=`]) {
        if (query === "?customerId=c&customerId=") continue;
        const answer = await api("agent").call("GET", `/sessions${query}`);
        const { errors } = problemOf(answer, 400, "invalid-request");
        assert.deepEqual(
          errors?.map((fault) => fault.name),
          [name],
          query,
        );
        assert.match(errors?.[0]?.detail ?? "", /is empty/);
      }
    }
    for (const name of [...conditions, "except", "all", "dryRun"]) {
      for (const value of ["", null]) {
        const json = { customerId: "c", state: "recognized", dryRun: true, [name]: value };
        const answer = await api("administrator").call("POST", "/sessions/end", { json });
        const { errors } = problemOf(answer, 400, "invalid-request");
        assert.deepEqual(
          errors?.map((fault) => fault.name),
          [name],
        );
      }
    }
  });

  test("flags of a body are booleans, no texts and numbers", async () => {
    for (const name of ["all", "dryRun"]) {
      for (const value of ["true", "false", 1, 0, [true]]) {
        const json = { customerId: "nobody", dryRun: true, [name]: value };
        const answer = await api("administrator").call("POST", "/sessions/end", { json });
        const { errors } = problemOf(answer, 400, "invalid-request");
        assert.deepEqual(
          errors?.map((fault) => fault.name),
          [name],
        );
      }
    }
  });

  test("a cursor that the server did not return is refused", async () => {
    await create("turned", 3);
    const query = "?customerId=turned&limit=1";
    const { next } = await list(query);
    assert.ok(next);
    assert.equal((await list(`${query}&cursor=${next}`)).sessions.length, 1);
    const place = next.slice(0, next.indexOf("."));
    const turned = `${next.slice(0, -1)}${next.endsWith("A") ? "B" : "A"}`;
    const made = ["A".repeat(24), "A".repeat(40), place, `${place}.`, turned, `${next}A`, `x${next}`];
    for (const cursor of [...made, next.toLowerCase(), "0", "null", "."]) {
      const listed = await api("agent").call("GET", `/sessions${query}&cursor=${cursor}`);
      problemOf(listed, 400, "invalid-request");
      const json = { customerId: "turned", dryRun: true, cursor };
      problemOf(await api("agent").call("POST", "/sessions/end", { json }), 400, "invalid-request");
    }
    for (const audited of ["999999999", "0", "-1", "1.5", "x", "2&cursor=2"]) {
      const answer = await api("administrator").call("GET", `/audit?cursor=${audited}`);
      problemOf(answer, 400, "invalid-request");
    }
  });

  test("its customer, an agent and an administrator can end a session, which is unknown afterwards", async () => {
    for (const person of ["alice", "agent", "administrator"] as const) {
      const [id] = (await create("alice", 1)) as [string];
      const answer = await api(person).call("DELETE", `/sessions/${id}`);
      assert.deepEqual([answer.status, answer.text], [204, ""]);
      assert.equal((await api("alice").call("HEAD", `/sessions/${id}`)).status, 404);
      assert.notEqual(sessionOf(await api("alice").retrieve(id)).sessionId, id);
      const timeline = await api("alice").call("GET", requestsOf(id));
      assert.match(timeline.text, /"ended"/);
      problemOf(await api(person).call("DELETE", `/sessions/${id}`), 404, "session-not-found");
    }
  });

  test("anyone who may find a session may name it by its handle, and nobody else", async () => {
    const [id] = (await create("alice", 1)) as [string];
    const handle = handleOf(id);
    await post(api("alice"), id, visits(2));
    for (const person of ["agent", "reporter", "administrator"] as const) {
      const timeline = bodyOf(await api(person).call("GET", requestsOf(handle))) as Timeline;
      assert.deepEqual([timeline.handle, timeline.total], [handle, 2], person);
    }
    const unstored = handleOf(await newSession(api("page")));
    const invented = `${handle.slice(0, -1)}${handle.endsWith("A") ? "B" : "A"}`;
    for (const [person, name] of [
      ...[["bob", handle] as const, ["page", handle] as const],
      ...[["agent", unstored] as const, ["administrator", invented] as const],
    ]) {
      problemOf(await api(person).call("GET", requestsOf(name)), 404, "session-not-found");
      problemOf(await api(person).call("DELETE", `/sessions/${name}`), 404, "session-not-found");
    }
    // A handle never opens a session.
    assert.equal((await api("administrator").call("HEAD", `/sessions/${handle}`)).status, 404);
    assert.notEqual(sessionOf(await api("agent").retrieve(handle)).sessionId, id);
    problemOf(await api("agent").update(handle, of("alice")), 404, "session-not-found");
    problemOf(await post(api("agent"), handle, visits(1)), 404, "session-not-found");
    assert.equal((await api("alice").call("HEAD", `/sessions/${id}`)).status, 200);
    const ended = await api("agent").call("DELETE", `/sessions/${handle}`);
    assert.deepEqual([ended.status, ended.text], [204, ""]);
    assert.equal((await api("alice").call("HEAD", `/sessions/${id}`)).status, 404);
    problemOf(await api("agent").call("DELETE", `/sessions/${handle}`), 404, "session-not-found");
    const [entry] = (await audit("?limit=1")).entries;
    assert.deepEqual([entry?.what, entry?.details], ["session.end", { session: handle }]);
  });

  test("ending another customer's session gets the same response as ending one that never existed", async () => {
    const [id] = (await create("alice", 1)) as [string];
    const answers: string[] = [];
    for (const path of [id, "unknown", id.replace(/.$/, (last) => (last === "A" ? "B" : "A"))]) {
      for (const person of ["bob", "page"] as const) {
        const headers = { "x-request-id": "same" };
        const answer = await api(person).call("DELETE", `/sessions/${path}`, { headers });
        problemOf(answer, 404, "session-not-found");
        answers.push(answer.text);
      }
    }
    assert.equal(new Set(answers).size, 1);
    const refused = await api("reporter").call("DELETE", `/sessions/${id}`);
    problemOf(refused, 403, "role-not-permitted");
    assert.equal((await api("alice").call("HEAD", `/sessions/${id}`)).status, 200);
    const blank = await newSession(api("page"));
    assert.equal((await api("page").call("DELETE", `/sessions/${blank}`)).status, 204);
  });

  test("all sessions of a customer are counted and then ended", async () => {
    const made = await create("everywhere", 30);
    const others = await create("elsewhere", 2);
    const filter = { customerId: "everywhere" };
    assert.deepEqual(await end({ ...filter, dryRun: true }), { sessions: 30, next: null });
    assert.equal((await list("?customerId=everywhere&live=true&limit=1")).sessions.length, 1);
    assert.deepEqual(await end(filter), { sessions: 30, next: null });
    assert.deepEqual(await end(filter), { sessions: 0, next: null });
    assert.deepEqual(handlesOf(await list("?customerId=everywhere&live=false")), made.map(handleOf));
    assert.deepEqual(handlesOf(await list("?customerId=elsewhere&live=true")), others.map(handleOf));
  });

  test("a request to end sessions without a filter ends nothing, unless it has `all`", async () => {
    const [id] = (await create("spared", 1)) as [string];
    for (const json of [{}, { customerId: "" }, { customerId: null }, { dryRun: true }]) {
      const answer = await api("administrator").call("POST", "/sessions/end", { json });
      problemOf(answer, 400, "invalid-request");
    }
    for (const [json, place] of [
      [{ customerID: "spared" }, "customerID"],
      [{ customerId: "spared", all: true }, "all"],
      [{ customerId: 7 }, "customerId"],
      [[], ""],
      [{ customerId: "spared", cursor: "1" }, "cursor"],
    ] as const) {
      const answer = await api("administrator").call("POST", "/sessions/end", { json });
      const { errors } = problemOf(answer, 400, "invalid-request");
      assert.ok(
        errors?.some(({ in: where, name }) => where === "body" && name === place),
        place,
      );
    }
    const dry = await api("administrator").call("POST", "/sessions/end?dryRun=true", {
      json: { customerId: "spared" },
    });
    assert.match(problemOf(dry, 400, "invalid-request").detail, /in the JSON body/);
    const refused = await api("agent").call("POST", "/sessions/end", { json: { all: true } });
    problemOf(refused, 403, "role-not-permitted");
    problemOf(await api("agent").call("POST", "/sessions/end"), 400, "invalid-request");
    assert.deepEqual(handlesOf(await list("?customerId=spared&live=true")), [handleOf(id)]);
    await using other = await serve();
    const alone = createApi(other.url);
    for (let i = 0; i < 3; i++) await alone.create(of("somebody"));
    const all = await alone.call("POST", "/sessions/end", { json: { all: true } });
    assert.deepEqual(bodyOf(all), { sessions: 3, next: null });
  });

  test("if a request cannot end all sessions, further requests end the rest", async () => {
    await using other = await serve({ config: { accessLog: "off" } });
    const alone = createApi(other.url);
    const headers = { gkc_customerId: "many" };
    for (let i = 0; i < 25; i++) {
      await Promise.all(Array.from({ length: 100 }, () => alone.create({ headers })));
    }
    const counts: number[] = [];
    for (let cursor: string | null = null; ; ) {
      const json = { customerId: "many", cursor };
      const receipt = bodyOf(await alone.call("POST", "/sessions/end", { json })) as EndReceipt;
      counts.push(receipt.sessions);
      cursor = receipt.next;
      if (cursor === null) break;
    }
    assert.ok(counts.length > 1 && counts.every((count) => count <= 2048), counts.join(" "));
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      2500,
    );
    const erased: ErasureReceipt[] = [];
    while (erased.at(-1)?.isComplete !== true) {
      erased.push(bodyOf(await alone.call("DELETE", "/customers/many")) as ErasureReceipt);
    }
    assert.equal(
      erased.reduce((sum, { sessions }) => sum + sessions, 0),
      2500,
    );
    assert.ok(erased.length > 1);
  });

  test("the stored response of a rotation is exported by the handle of its session", async () => {
    const id = sessionOf(await api("agent").create()).sessionId;
    const headers = { "gkc-customerId": "rotates", "idempotency-key": "sign-in" };
    sessionOf(await api("agent").update(id, { headers, json: { rotate: true } }));
    const lines = linesOf(await api("administrator").call("GET", "/customers/rotates/export"));
    assert.deepEqual(lines.at(-1), { type: "end", sessions: 1 });
    const [answer] = lines.filter(({ type }) => type === "answer");
    assert.equal(answer?.["answer"], JSON.stringify({ handle: handleOf(id) }));
  });

  test("everything about a customer is exported line by line, and erased", async () => {
    const headers = { "gkc-customerId": "leaves", "idempotency-key": "kept" };
    const id = sessionOf(await api("agent").create({ headers })).sessionId;
    const long = sessionOf(await api("agent").create(of("leaves"))).sessionId;
    for (let i = 0; i < 3; i++) await post(api("agent"), long, visits(900));
    await post(api("agent"), id, [{ method: "GET", path: "/secret-path-of-theirs" }], {
      "idempotency-key": "recorded",
    });
    const [kept] = (await create("stays", 1)) as [string];
    const lines = linesOf(await api("administrator").call("GET", "/customers/leaves/export"));
    const count = (type: string) => lines.filter((line) => line["type"] === type).length;
    assert.deepEqual(lines.at(-1), { type: "end", sessions: 2 });
    assert.deepEqual([count("session"), count("answer")], [2, 2]);
    const answers = lines.filter(({ type }) => type === "answer").map(({ answer }) => String(answer));
    const { handle, customerId } = JSON.parse(answers[0] ?? "") as SessionSummary;
    assert.deepEqual([handle, customerId, answers[1]], [handleOf(id), "leaves", '{"accepted":1}']);
    assert.equal(count("entry"), 2 + 2700 + 1);
    assert.ok(lines.some(({ entry }) => JSON.stringify(entry ?? "").includes("/secret-path-of-theirs")));

    const erasure = bodyOf(await api("administrator").call("DELETE", "/customers/leaves")) as ErasureReceipt;
    assert.deepEqual(erasure, { sessions: 2, keys: 0, isComplete: true });
    for (const one of [id, long]) {
      assert.equal((await api("agent").call("HEAD", `/sessions/${one}`)).status, 404);
      problemOf(await api("agent").update(one, of("leaves")), 404, "session-not-found");
    }
    assert.deepEqual(await list("?customerId=leaves"), { sessions: [], next: null, total: 0 });
    const nothing = await api("administrator").call("GET", "/customers/leaves/export");
    assert.deepEqual(linesOf(nothing), [{ type: "end", sessions: 0 }]);
    assert.equal((await api("agent").call("HEAD", `/sessions/${kept}`)).status, 200);
    // This checks SQLite's files. The tests of the store port check that nothing is left in Redis.
    for (const file of readdirSync(server.dataDir)) {
      if (file.endsWith(".sock")) continue;
      const bytes = readFileSync(join(server.dataDir, file));
      assert.ok(!bytes.includes("leaves"), `${file} has the customer's id`);
      assert.ok(!bytes.includes("/secret-path-of-theirs"), `${file} has what they did`);
    }
    assert.ok(!server.log().includes("leaves"));
  });

  test("the audit trail has an export that the client aborts as failed", async () => {
    const id = sessionOf(await api("agent").create(of("begun"))).sessionId;
    const long = Array.from({ length: 1000 }, () => ({
      method: "GET",
      path: `/${"x".repeat(2000)}`,
    }));
    // The export must be larger than what the system buffers for a client that does not read.
    for (let i = 0; i < 8; i++) assert.equal((await post(api("agent"), id, long)).status, 202);
    const headers = { authorization: holders.administrator.bearer };
    const { body } = await fetch(`${server.url}/customers/begun/export`, { headers });
    const reader = body?.getReader();
    assert.ok((await reader?.read())?.value, "nothing came");
    const outcome = async () => {
      const exported = (one: AuditPage["entries"][number]) => one.what === "customer.export";
      return (await audit("?limit=10")).entries.find(exported)?.outcome;
    };
    assert.equal(await outcome(), "begun");
    await reader?.cancel();
    while ((await outcome()) === "begun") await delay(5);
    assert.equal(await outcome(), "failed");
  });

  test("erasing a customer also erases the customer's API keys, with immediate effect", async () => {
    const key = keyFor({ role: "customer", customerId: "keyed" }, { name: "Tablet at the till" });
    await using other = await serveKeys({ key, administrator: holders.administrator }, await empty());
    const theirs = apiOf(other, key);
    const ours = apiOf(other, holders.administrator);
    assert.equal((await theirs.create()).status, 200);
    const told = linesOf(await ours.call("GET", "/customers/keyed/export"));
    assert.deepEqual([told[0]?.["type"], told[0]?.["name"]], ["key", "Tablet at the till"]);
    assert.ok(!JSON.stringify(told).includes(key.key.hash));
    const erasure = bodyOf(await ours.call("DELETE", "/customers/keyed")) as ErasureReceipt;
    assert.equal(erasure.keys, 1);
    problemOf(await theirs.create(), 401, "invalid-credential");
  });

  test("customer ids can have any characters", async () => {
    const id = "a/b é%?#";
    const path = `/customers/${encodeURIComponent(id)}`;
    assert.equal((await api("agent").create(of(id))).status, 200);
    const lines = linesOf(await api("administrator").call("GET", `${path}/export`));
    assert.equal(lines[0]?.["customerId"], id);
    const erasure = bodyOf(await api("administrator").call("DELETE", path)) as ErasureReceipt;
    assert.equal(erasure.sessions, 1);
  });

  test("the audit trail has operations and refusals in order, without callers' ids", async () => {
    const known = (await audit("?limit=1")).entries[0]?.sequence ?? 0;
    const [id] = (await create("trailed", 1)) as [string];
    await end({ customerId: "trailed", dryRun: true });
    await end({ customerId: "trailed", dryRun: true }, "service");
    await api("agent").call("DELETE", `/sessions/${id}`);
    await api("administrator").call("GET", "/customers/trailed/export");
    await api("administrator").call("DELETE", "/customers/trailed");
    for (let i = 0; i < 3; i++) {
      problemOf(await api("bob").call("DELETE", "/customers/trailed"), 403, "role-not-permitted");
    }
    // The audit entry of the last refusal is added only after the response.
    while ((await audit("?limit=1")).entries[0]?.outcome !== "refused") await delay(5);
    const all: AuditPage["entries"][number][] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: AuditPage = await audit(`?limit=4&cursor=${cursor}`);
      all.push(...page.entries);
      cursor = page.next;
    }
    assert.deepEqual(
      all.map(({ sequence }) => sequence),
      Array.from({ length: all.length }, (_, i) => all.length - i),
    );
    const news = all.filter(({ sequence }) => sequence > known).toReversed();
    assert.deepEqual(
      news.map(({ what, outcome, who }) => `${who.role} ${what} ${outcome}`),
      [
        "agent sessions.end done",
        "service sessions.end done",
        "agent session.end done",
        "administrator customer.export begun",
        "administrator customer.export done",
        "administrator customer.erase begun",
        "administrator customer.erase done",
        "customer customer.erase refused",
      ],
    );
    assert.equal(news[0]?.who.credential, holders.agent.key.id);
    assert.equal(news[0]?.who.agentId, "7");
    assert.deepEqual([news[0]?.who.keyName, news[1]?.who.keyName], [null, "Shop server"]);
    // The name of a customer's key may be the customer's name.
    assert.ok(!JSON.stringify(news).includes("Bob's phone"));
    assert.equal(news[0]?.from, "127.0.0.1");
    assert.deepEqual(news[0]?.details["sessions"], 1);
    assert.equal(news[6]?.details["customer"], news[3]?.details["customer"]);
    assert.equal(news[0]?.details["customerId"], news[3]?.details["customer"], "one hash everywhere");
    assert.ok(!JSON.stringify(news).includes("trailed"));
    assert.ok(!JSON.stringify(news).includes(id));
    assert.equal(news.find(({ what }) => what === "session.end")?.details["session"], handleOf(id));
  });

  test("callers without the role are refused", async () => {
    const allowed: Readonly<Record<string, readonly Holder[]>> = {
      "GET /sessions": ["alice", "bob", "agent", "service", "reporter", "administrator"],
      "POST /sessions/end": ["agent", "service", "administrator"],
      "GET /customers/x/export": ["administrator"],
      "DELETE /customers/x": ["administrator"],
      "GET /audit": ["administrator"],
    };
    for (const [line, people] of Object.entries(allowed)) {
      const [method, path] = line.split(" ") as [string, string];
      for (const person of Object.keys(holders) as Holder[]) {
        const json = method === "POST" ? { json: { customerId: "x" } } : {};
        const { status } = await api(person).call(method, path, json);
        assert.equal(status, people.includes(person) ? 200 : 403, `${person} ${line}`);
      }
      assert.equal((await createApi(server.url).call(method, path)).status, 401, line);
    }
  });
});
