import assert from "node:assert/strict";
import { test } from "node:test";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { type NextCookies, type NextSessions, sessions } from "../../src/middleware/next.ts";
import { createSessionPasser, PASSED_SESSION } from "../../src/middleware/passed-session.ts";
import { createTransport } from "../../src/transport.ts";

const antechamber = oneServer();

const deadline = 20_000;

/** The store of cookies of a request. In a server component it refuses changes. */
function cookieStore(values: Record<string, string>, isReadOnly = false): NextCookies & { values: typeof values } {
  return {
    values,
    get: (name) => (values[name] === undefined ? undefined : { value: values[name] }),
    set({ name, value }) {
      if (isReadOnly) throw new Error("Cookies can only be modified in a Server Action or Route Handler");
      values[name] = value;
    },
  };
}

/** Lets the proxy handle a request, and returns the headers behind it and the response. */
async function proxied(visitors: NextSessions, headers: Record<string, string> = {}) {
  let behind = new Headers();
  const proxy = visitors.proxy((_request, context) => {
    behind = context.headers;
    return new Response(null, { headers: { "cache-control": "public" } });
  });
  const response = await proxy(new Request("http://site.test/page?x=1", { headers }));
  return { behind, response };
}

test("next: a page sees the session of the proxy without another call, also one that is new", async () => {
  let calls = 0;
  const visitors = sessions({
    url: antechamber.url,
    deadline,
    fetch(input, init) {
      calls += 1;
      return fetch(input, init);
    },
  });
  const { behind, response } = await proxied(visitors);
  assert.equal(response.headers.get("cache-control"), "no-store");
  const session = await visitors.session(behind, cookieStore({}, true));
  assert.equal(session?.isNew, true);
  assert.equal(response.headers.getSetCookie()[0]?.startsWith(`sessionId=${session.sessionId};`), true);
  assert.equal(calls, 1);
  await visitors.close();
});

test("next: headers that a client forges never count, and identity headers do not pass the proxy", async () => {
  const visitors = sessions({ url: antechamber.url, deadline });
  const { sessionId } = await createTransport({ url: antechamber.url }).create({ customerId: "jane" });
  const info = { sessionId, state: "recognized", customerId: "boss" };
  const found = { info, isNew: false, isAvailable: true } as never;
  const foreign = createSessionPasser("a key of somebody else");
  const old = createSessionPasser(undefined, () => Date.now() - 61_000);
  const passed = { found, method: "GET", path: "/" };
  const valid = await createSessionPasser(undefined).write(passed);
  const forged = [
    await foreign.write(passed),
    await old.write(passed),
    `${valid}0`,
    valid.replace(/^./, "f"),
    "x",
    ".",
  ];
  for (const value of forged) {
    const headers = { [PASSED_SESSION]: value, "gkc-customerId": "boss", gkc_agentid: "boss", "gkc.visitid": "v" };
    const { behind } = await proxied(visitors, headers);
    assert.equal((await visitors.session(behind, cookieStore({})))?.customerId, null);
    assert.deepEqual([...behind.keys()], [PASSED_SESSION]);
    // Where the proxy does not run.
    assert.equal(await visitors.session(new Headers(headers), cookieStore({})), null);
    const cookies = cookieStore({ sessionId });
    const real = new Headers({ ...headers, cookie: `sessionId=${sessionId}` });
    assert.equal((await visitors.session(real, cookies))?.customerId, "jane");
  }
  await visitors.close();
});

test("next: after an action has signed somebody in or out, the page that it renders shows that", async () => {
  const visitors = sessions({ url: antechamber.url, deadline });
  const first = await proxied(visitors);
  const before = await visitors.session(first.behind, cookieStore({}));
  assert.ok(before);
  const cookie = `sessionId=${before.sessionId}`;
  const { behind } = await proxied(visitors, { cookie });
  const cookies = cookieStore({ sessionId: before.sessionId });

  const inAction = await visitors.session(behind, cookies);
  assert.equal(await inAction?.identify({ customerId: "jane" }), true);
  assert.notEqual(cookies.values["sessionId"], before.sessionId);
  const onPage = await visitors.session(behind, cookies);
  assert.deepEqual([onPage?.customerId, onPage?.sessionId], ["jane", cookies.values["sessionId"]]);

  assert.equal(await onPage?.end(), true);
  assert.equal(cookies.values["sessionId"], "");
  assert.equal(await visitors.session(behind, cookies), null);
  await visitors.close();
});

test("next: a server component cannot sign anybody out, because it cannot set the cookie", async () => {
  const visitors = sessions({ url: antechamber.url, deadline });
  const { behind } = await proxied(visitors);
  const session = await visitors.session(behind, cookieStore({}, true));
  await assert.rejects(async () => await session?.end(), /Server Action/);
  const { sessionId = "" } = session ?? {};
  assert.equal((await createTransport({ url: antechamber.url }).retrieve(sessionId)).sessionId, sessionId);
  await visitors.close();
});

test("next: a session that ends while the request is in progress is not replaced by one that the visitor never gets", async () => {
  const visitors = sessions({ url: antechamber.url, deadline, data: true });
  const transport = createTransport({ url: antechamber.url });
  const { sessionId } = await transport.create({ customerId: "jane" });
  await transport.replaceData(sessionId, { cart: 1 });
  const { behind } = await proxied(visitors, { cookie: `sessionId=${sessionId}` });
  assert.deepEqual((await visitors.session(behind, cookieStore({ sessionId })))?.data, { cart: 1 });
  await transport.end(sessionId);
  assert.equal(await visitors.session(behind, cookieStore({ sessionId })), null);
  await visitors.close();
});

test("next: ignored paths get no session", async () => {
  const visitors = sessions({ url: antechamber.url, deadline, ignore: ["/page"] });
  const { behind, response } = await proxied(visitors);
  assert.equal(await visitors.session(behind, cookieStore({})), null);
  assert.deepEqual(response.headers.getSetCookie(), []);
  await visitors.close();
});
