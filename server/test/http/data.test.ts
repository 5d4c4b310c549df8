// runs: once

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { handleOf } from "../../src/session/id.ts";
import { type Answer, type Api, createApi, problemOf, type RequestOptions, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import type { TestServer } from "../support/in-process.ts";
import { MINUTE } from "../support/sessions.ts";

const as = (customerId: string) => ({ gkc_customerId: customerId });

onEachEngine(({ test, serve }) => {
  let server: TestServer;
  let api: Api;
  before(async () => {
    const basePaths = [
      { path: "/v1", dialect: "8.5.1" },
      { path: "/v2", dialect: "v2" },
    ] as const;
    server = await serve({ frozen: true, config: { basePaths, corsOrigins: ["https://shop.example"] } });
    api = createApi(server.url);
  });
  after(() => server[Symbol.asyncDispose]());

  const newId = async () => sessionOf(await api.create()).sessionId;
  const call = (method: string, id: string, json?: unknown, options: RequestOptions = {}) =>
    api.call(method, `/sessions/${id}/data`, { ...options, ...(json === undefined ? {} : { json }) });
  const dataIn = (answer: Answer): unknown => {
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers.get("etag") ?? "", /^"[\w-]{22}"$/);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    return JSON.parse(answer.text);
  };
  const read = async (id: string) => dataIn(await call("GET", id));
  const placesIn = (answer: Answer) => problemOf(answer, 400, "invalid-request").errors?.map(({ name }) => name);

  test("contract.md#data: data are read, merged, replaced and cleared", async () => {
    const id = await newId();
    assert.deepEqual(await read(id), {});
    assert.deepEqual(dataIn(await call("PATCH", id, { cart: { a: 1 }, locale: "de" })), {
      cart: { a: 1 },
      locale: "de",
    });
    assert.deepEqual(dataIn(await call("PATCH", id, { cart: { b: 2 }, locale: null })), { cart: { a: 1, b: 2 } });
    assert.deepEqual(dataIn(await call("PUT", id, { step: null })), { step: null });
    assert.deepEqual(await read(id), { step: null });
    const cleared = await call("DELETE", id);
    assert.deepEqual([cleared.status, cleared.text], [204, ""]);
    assert.deepEqual(await read(id), {});
  });

  test("contract.md#data: 64 clients each change another member, and all changes are stored", async () => {
    const id = await newId();
    const numbers = Array.from({ length: 64 }, (_, i) => i);
    await Promise.all(numbers.map(async (i) => dataIn(await call("PATCH", id, { [`m${i}`]: i }))));
    assert.deepEqual(await read(id), Object.fromEntries(numbers.map((i) => [`m${i}`, i])));
  });

  test("contract.md#data: If-Match and If-None-Match decide whether a request is carried out", async () => {
    const id = await newId();
    const tag = (await call("PATCH", id, { n: 1 })).headers.get("etag") ?? "";
    const patch = (ifMatch: string, n: number) => call("PATCH", id, { n }, { headers: { "if-match": ifMatch } });
    for (const other of ['"other"', '"other,"', '"a,b", ",,"', `W/${tag}`, `"other", W/${tag}`])
      problemOf(await patch(other, 9), 412, "precondition-failed");
    dataIn(await patch(`"ot,her",, ${tag}`, 2));
    problemOf(await patch(tag, 3), 412, "precondition-failed");
    dataIn(await patch("*", 4));
    for (const method of ["PUT", "DELETE", "GET"]) {
      const json = method === "PUT" ? {} : undefined;
      problemOf(await call(method, id, json, { headers: { "if-match": tag } }), 412, "precondition-failed");
    }
    const now = (await call("GET", id)).headers.get("etag") ?? "";
    for (const known of [now, `W/${now}`, `"other",${now}`, "*"]) {
      const same = await call("GET", id, undefined, { headers: { "if-none-match": known } });
      assert.deepEqual([same.status, same.text, same.headers.get("etag")], [304, "", now]);
    }
    assert.deepEqual(dataIn(await call("GET", id, undefined, { headers: { "if-none-match": tag } })), { n: 4 });
    problemOf(await call("PUT", id, {}, { headers: { "if-none-match": "*" } }), 412, "precondition-failed");
    for (const malformed of ["x", "", '"a" "b"', 'w/"a"', Array.from({ length: 65 }, () => '"a"').join()]) {
      problemOf(await patch(malformed, 9), 400, "invalid-request");
    }
    assert.deepEqual(await read(id), { n: 4 });
    assert.equal((await call("PUT", id, { n: 1 })).headers.get("etag"), tag, "equal data have equal tags");
  });

  test("contract.md#data: bodies that cannot be data are refused with the place of the fault", async () => {
    const id = await newId();
    const send = (body: string, type = "application/merge-patch+json", method = "PATCH") =>
      call(method, id, undefined, { body, headers: { "content-type": type } });
    for (const method of ["PATCH", "PUT"]) {
      for (const body of ["", "{", "[]", "null", "1", '{"a":1}x']) {
        assert.deepEqual(placesIn(await send(body, "application/json", method)), [""], body);
      }
      const faulty = '{"a":{"id":12345678901234567890},"b":1,"b":2,"c":"\\ud800"}';
      assert.deepEqual(placesIn(await send(faulty, "application/json", method)), ["/a/id", "/b", "/c"]);
      const large = await send(JSON.stringify({ t: "x".repeat(16 * 1024) }), "application/json", method);
      problemOf(large, 413, "body-too-large");
      problemOf(await send("{}", "text/plain", method), 415, "unsupported-media-type");
    }
    const jsonPatch = await send('[{"op":"add"}]', "application/json-patch+json");
    problemOf(jsonPatch, 415, "unsupported-media-type");
    assert.equal(jsonPatch.headers.get("accept-patch"), "application/merge-patch+json");
    assert.deepEqual(dataIn(await send('\ufeff{"bom":1}')), { bom: 1 });
    dataIn(await call("PUT", id, {}));
    const odd = '{"__proto__":{"a":1},"constructor":{"prototype":2},"\\u0000":"\\u0000"}';
    assert.equal((await send(odd)).text, odd);
    assert.equal((await call("GET", id)).text, odd);
  });

  test("contract.md#data: what would become too large stays as it is, and the connection stays open", async () => {
    const id = await newId();
    const text = "x".repeat(10_000);
    dataIn(await call("PATCH", id, { a: text }));
    const refused = await call("PATCH", id, { b: text });
    assert.match(problemOf(refused, 413, "body-too-large").detail, /16384/);
    assert.notEqual(refused.headers.get("connection"), "close");
    assert.deepEqual(Object.keys((await read(id)) as object), ["a"]);
  });

  test("contract.md#data: retrieving includes the data, also of a session that is created then", async () => {
    const id = await newId();
    await call("PATCH", id, { text: 'é\u2028"' });
    const get = (path: string, options?: RequestOptions) => api.call("GET", path, options);
    const found = sessionOf(await get(`/sessions/${id}?include=data`)) as unknown as Record<string, unknown>;
    assert.deepEqual([found["sessionId"], found["data"]], [id, { text: 'é\u2028"' }]);
    assert.equal("data" in sessionOf(await api.retrieve(id)), false);
    assert.equal("data" in sessionOf(await get(`/sessions/${id}?other=data`)), false);
    assert.equal("data" in sessionOf(await get(`/sessions/${id}?x=1&include=data&y`)), true);
    problemOf(await get(`/sessions/${id}?include=data&include=timeline`), 400, "invalid-request");
    problemOf(await get(`/sessions/${id}?include=`), 400, "invalid-request");
    const created = sessionOf(await get("/sessions/unknown?include=data", { headers: as("c") })) as unknown as Record<
      string,
      unknown
    >;
    assert.deepEqual([created["customerId"], created["data"]], ["c", {}]);
    const enveloped = JSON.parse((await get(`/v1/sessions/${id}?include=data`)).text) as Record<
      string,
      Record<string, unknown>
    >;
    assert.deepEqual(
      [enveloped["data"], enveloped["response"]?.["data"]],
      [{ text: 'é\u2028"' }, { text: 'é\u2028"' }],
    );
    problemOf(await get("/v1/sessions/unknown?include=data"), 404, "session-not-found");
    for (const base of ["", "/v1"]) {
      const path = `${base}/sessions/${id}?include=data`;
      const [whole, head] = [await get(path), await api.call("HEAD", path)];
      assert.equal(head.headers.get("content-length"), String(Buffer.byteLength(whole.text)), "RFC 9110, section 8.6");
    }
    assert.equal((await api.call("HEAD", `/sessions/${id}?include=timeline`)).status, 400);
    assert.equal((await api.call("HEAD", "/sessions/unknown?include=data")).status, 404);
    assert.deepEqual(dataIn(await get(`/v2/sessions/${id}/data`)), { text: 'é\u2028"' });
  });

  test("contract.md#data: retrieving includes the present data each time, however long they are", async () => {
    const id = await newId();
    for (const text of ["é", "x".repeat(1000), "é".repeat(8000), ""]) {
      dataIn(await call("PATCH", id, { text }));
      // The session has changed too, since it was last shown with its data.
      if (text === "") await api.call("POST", `/sessions/${id}`, { json: { customerId: "c1" } });
      const plain = (await api.retrieve(id)).text;
      for (let i = 0; i < 3; i++) {
        const included = (await api.call("GET", `/sessions/${id}?include=data`)).text;
        assert.equal(included, `${plain.slice(0, -1)},"data":${JSON.stringify({ text })}}`);
      }
    }
    await call("DELETE", id);
    assert.match((await api.call("GET", `/sessions/${id}?include=data`)).text, /,"data":\{\}\}$/);
  });

  test("contract.md#rule-8: data store an anonymous session, and reading stores nothing", async () => {
    const [id, other] = [await newId(), await newId()];
    await call("PATCH", id, { a: 1 });
    await read(other);
    await call("PATCH", other, {});
    const list = (await api.call("GET", "/sessions?live=true&limit=1000")).text;
    assert.deepEqual([list.includes(handleOf(id)), list.includes(handleOf(other))], [true, false]);
  });

  test("contract.md#data: data renew the session, are gone when it ends or expires, and unknown ids are 404", async () => {
    const id = await newId();
    await call("PATCH", id, { a: 1 });
    for (const use of [
      () => read(id),
      () => call("PATCH", id, { a: 2 }),
      () => api.call("GET", `/sessions/${id}?include=data`),
    ]) {
      server.pass(25 * MINUTE);
      await use();
    }
    server.pass(25 * MINUTE);
    assert.deepEqual(await read(id), { a: 2 });
    server.pass(29 * MINUTE);
    const refused = await call("GET", id, undefined, { headers: { "if-match": '"other"' } });
    problemOf(refused, 412, "precondition-failed");
    server.pass(2 * MINUTE);
    const gone = ["unknown", id, "A".repeat(40), "%ff"];
    const ended = await newId();
    await call("PATCH", ended, { a: 1 });
    await api.call("DELETE", `/sessions/${ended}`);
    for (const each of [...gone, ended, handleOf(ended)]) {
      for (const method of ["GET", "PATCH", "PUT", "DELETE"]) {
        const json = ["PATCH", "PUT"].includes(method) ? { a: 1 } : undefined;
        problemOf(await call(method, each, json, { headers: { "if-match": '"x"' } }), 404, "session-not-found");
      }
    }
  });

  test("contract.md#rule-9: data stay when the id is rotated, and the retired id leads to none", async () => {
    const id = await newId();
    await call("PATCH", id, { a: 1 });
    const rotated = sessionOf(await api.update(id, { headers: as("c"), json: { rotate: true } })).sessionId;
    assert.deepEqual(await read(rotated), { a: 1 });
    problemOf(await call("GET", id), 404, "session-not-found");
    problemOf(await call("PATCH", id, { a: 2 }), 404, "session-not-found");
    const retired = sessionOf(await api.call("GET", `/sessions/${id}?include=data`)) as unknown as Record<
      string,
      unknown
    >;
    assert.deepEqual([retired["sessionId"], retired["state"], retired["data"]], [id, "anonymous", {}]);
    assert.deepEqual(await read(rotated), { a: 1 });
  });

  test("contract.md#handles: a handle names stored data, and reading by it does not renew the session", async () => {
    const id = await newId();
    server.pass(1);
    problemOf(await call("PATCH", handleOf(id), { a: 1 }), 404, "session-not-found");
    await call("PATCH", id, { a: 1 });
    assert.deepEqual(dataIn(await call("PATCH", handleOf(id), { b: 2 })), { a: 1, b: 2 });
    server.pass(29 * MINUTE);
    assert.deepEqual(await read(handleOf(id)), { a: 1, b: 2 });
    server.pass(2 * MINUTE);
    problemOf(await call("GET", handleOf(id)), 404, "session-not-found");
  });

  test("contract.md#cors: a page may read and change data, and see their tag", async () => {
    const id = await newId();
    for (const method of ["GET", "PATCH", "PUT", "DELETE"]) {
      const preflight = await call("OPTIONS", id, undefined, {
        headers: { origin: "https://shop.example", "access-control-request-method": method },
      });
      assert.equal(preflight.status, 204);
      assert.ok(preflight.headers.get("access-control-allow-methods")?.split(", ").includes(method));
      assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /\bIf-Match\b/);
    }
    const answer = await call("GET", id, undefined, { headers: { origin: "https://shop.example" } });
    assert.match(answer.headers.get("access-control-expose-headers") ?? "", /\bETag\b/);
  });
});
