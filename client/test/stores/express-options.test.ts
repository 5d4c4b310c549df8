import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import express, { type ErrorRequestHandler, type Request, type Response } from "express";
import expressSession, { type Store } from "express-session";
import { serve, type TestServer } from "../../../server/test/support/in-process.ts";
import { antechamberSession, type ExpressSessionOptions } from "../../src/stores/express-session.ts";
import { TIMEOUT_MS } from "./sites/site.ts";

/*
 * Options and methods of express-session in the combinations that its README describes, over the real service. A case
 * that passes with every other store must pass with this one.
 */

type Handler = (request: Request, response: Response) => unknown;
type Data = Record<string, unknown>;

interface Page {
  readonly status: number;
  readonly text: string;
  /** The cookies that the response sets. */
  readonly set: readonly string[];
}

interface Site {
  /** Adds a page with its handler. */
  page(path: string, handler: Handler): void;
  /** Requests a page, with the cookie of the last response that had one. */
  get(path: string): Promise<Page>;
  /** Returns the number of changes of data that Antechamber has got since the last call. */
  changes(): number;
  cookie: string;
}

let antechamber: TestServer;
before(async () => {
  antechamber = await serve();
});
after(() => antechamber[Symbol.asyncDispose]());

const data = (request: Request) => request.session as unknown as Data;

/** Starts an application with express-session and these options, and ends it after `use`. */
async function withSite(options: Partial<ExpressSessionOptions>, use: (site: Site) => Promise<void>): Promise<void> {
  const session = antechamberSession(expressSession, { url: antechamber.url, timeout: TIMEOUT_MS });
  const app = express();
  app.use(session({ secret: "secret", resave: false, saveUninitialized: false, ...options }));
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const countChanges = () => antechamber.log().match(/"operation":"(merge|replace|clear)-data"/g)?.length ?? 0;
  let counted = countChanges();
  const site: Site = {
    cookie: "",
    page: (path, handler) => void app.get(path, async (request, response) => void (await handler(request, response))),
    async get(path) {
      const response = await fetch(url + path, {
        redirect: "manual",
        headers: site.cookie === "" ? {} : { cookie: site.cookie },
      });
      const set = response.headers.getSetCookie();
      if (set[0] !== undefined) site.cookie = set[0].split(";")[0] as string;
      return { status: response.status, text: await response.text(), set };
    },
    changes() {
      const earlier = counted;
      counted = countChanges();
      return counted - earlier;
    },
  };
  site.page("/show", (request, response) => response.json(request.session));
  site.page("/write", (request, response) => {
    data(request)["n"] = Number(data(request)["n"] ?? 0) + 1;
    response.json(data(request)["n"]);
  });
  site.page("/read", (request, response) => response.json(data(request)["n"] ?? null));
  try {
    await use(site);
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
}

const onError: ErrorRequestHandler = (error: Error, _request, response, _next) => {
  response.status(500).send(error.message);
};

/** Ways to send a response that changes the session. */
const responses: Readonly<Record<string, Handler>> = {
  "end without a body": (_, response) => response.end(),
  "end(null)": (_, response) => response.end(null),
  "end with a body": (_, response) => response.end("body"),
  "end with a length": (_, response) => response.set("content-length", "4").end("body"),
  "write and end": (_, response) => {
    response.write("one");
    response.write("two");
    response.end("three");
  },
  "writeHead and end": (_, response) => response.writeHead(200, { "x-a": "1" }).end("body"),
  "a redirect": (_, response) => response.redirect(303, "/read"),
  "no content": (_, response) => response.status(204).end(),
  "JSON of 100,000 characters": (_, response) => response.json("x".repeat(100_000)),
  "a stream": (_, response) => Readable.from(["one", "two"]).pipe(response),
};

for (const [name, respond] of Object.entries(responses)) {
  test(`express-session: when a response has arrived, its session is stored: ${name}`, async () => {
    await withSite({}, async ({ page, get, changes }) => {
      page("/", (request, response) => {
        data(request)["n"] = 5;
        respond(request, response);
      });
      const { set } = await get("/");
      assert.equal(set.length, 1);
      assert.equal(changes(), 1);
      assert.equal((await get("/read")).text, "5");
    });
  });
}

test("express-session: saveUninitialized decides whether a session without data has a cookie", async () => {
  await withSite({ saveUninitialized: false }, async ({ get, changes }) => {
    assert.deepEqual((await get("/read")).set, []);
    assert.equal((await get("/write")).set.length, 1);
    assert.equal(changes(), 1);
  });
  await withSite({ saveUninitialized: true }, async ({ get, changes }) => {
    assert.equal((await get("/read")).set.length, 1);
    assert.deepEqual((await get("/read")).set, [], "the same session");
    assert.equal(changes(), 0, "there was nothing to store");
    await get("/write");
    assert.equal((await get("/read")).text, "1");
  });
});

for (const resave of [false, true]) {
  test(`express-session: only changes are sent, with resave: ${resave}`, async () => {
    await withSite({ resave }, async ({ get, changes }) => {
      await get("/write");
      assert.equal(changes(), 1);
      assert.deepEqual((await get("/read")).set, []);
      assert.equal(changes(), 0);
      assert.equal((await get("/write")).text, "2");
      assert.equal(changes(), 1);
    });
  });
}

for (const [saveUninitialized, cookies] of [
  [false, [0, 1, 1]],
  [true, [1, 1, 1]],
] as const) {
  test(`express-session: with rolling, each response sets the cookie, with saveUninitialized: ${saveUninitialized}`, async () => {
    await withSite({ rolling: true, saveUninitialized, cookie: { maxAge: 60_000 } }, async ({ get, changes }) => {
      const found = [await get("/read"), await get("/write"), await get("/read")].map(({ set }) => set.length);
      assert.deepEqual(found, cookies);
      assert.equal(changes(), 1);
    });
  });
}

for (const unset of ["keep", "destroy"] as const) {
  test(`express-session: unset: ${unset} decides what happens to a session that a handler sets to null`, async () => {
    await withSite({ unset }, async ({ page, get, changes }) => {
      page("/unset", (request, response) => {
        Object.assign(request, { session: null });
        response.end();
      });
      await get("/write");
      changes();
      assert.deepEqual((await get("/unset")).set, []);
      assert.equal(changes(), 0);
      assert.equal((await get("/read")).text, unset === "keep" ? "1" : "null");
    });
  });
}

test("express-session: what a handler has saved is not saved again, and what it changes afterwards is", async () => {
  await withSite({ resave: true }, async ({ page, get, changes }) => {
    for (const path of ["/save", "/save-and-change", "/reload-and-save"]) {
      page(path, async (request, response) => {
        const call = async (name: "save" | "reload") =>
          await promisify((done: (error: unknown) => void) => request.session[name](done))();
        if (path.startsWith("/reload")) await call("reload");
        data(request)["n"] = Number(data(request)["n"] ?? 0) + 10;
        await call("save");
        if (path.endsWith("change")) data(request)["n"] = 99;
        response.end();
      });
    }
    await get("/write");
    for (const [path, sent, stored] of [
      ["/save", 1, "11"],
      ["/save-and-change", 2, "99"],
      ["/reload-and-save", 1, "109"],
    ] as const) {
      changes();
      await get(path);
      assert.equal(changes(), sent, path);
      assert.equal((await get("/read")).text, stored, path);
    }
  });
});

test("express-session: reloading a session that has ended is an error, and nothing is stored", async () => {
  await withSite({}, async ({ page, get }) => {
    page("/", async (request, response) => {
      await fetch(`${antechamber.url}/sessions/${request.sessionID}`, { method: "DELETE" });
      request.session.reload((error: unknown) => response.send(String(error)));
    });
    await get("/write");
    assert.match((await get("/")).text, /failed to load session/);
    assert.equal((await get("/read")).text, "null");
  });
});

test("express-session: a handler that breaks req.sessionID stores nothing", async () => {
  await withSite({ saveUninitialized: true }, async ({ page, get, changes }) => {
    page("/", (request, response) => {
      Object.assign(request, { sessionID: () => "another" });
      data(request)["n"] = 1;
      response.end();
    });
    assert.deepEqual((await get("/")).set, []);
    assert.equal(changes(), 0);
  });
});

test("express-session: the enumerable members of a session are its data and its cookie", async () => {
  await withSite({}, async ({ page, get }) => {
    page("/", (request, response) => response.json(Object.keys(request.session)));
    await get("/write");
    assert.deepEqual((JSON.parse((await get("/")).text) as string[]).toSorted(), ["cookie", "n"]);
  });
});

test("express-session: a cookie is signed with the first secret, and one of an older secret is still read", async () => {
  await withSite({ secret: ["new", "old"] }, async ({ get }) => {
    await get("/write");
    assert.equal((await get("/read")).text, "1");
  });
  const session = antechamberSession(expressSession, { url: antechamber.url, timeout: TIMEOUT_MS });
  const app = express();
  for (const [path, secret] of Object.entries({ "/old": "old", "/both": ["new", "old"], "/new": "new" })) {
    app.use(path, session({ secret, resave: false, saveUninitialized: false }), (request, response) => {
      const found = data(request)["n"] ?? null;
      data(request)["n"] = 1;
      response.json(found);
    });
  }
  const server = createServer(app.use(onError)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const first = await fetch(`${url}/old`);
  const headers = { cookie: first.headers.getSetCookie()[0]?.split(";")[0] ?? "" };
  assert.equal(await first.text(), "null");
  assert.equal(await (await fetch(`${url}/both`, { headers })).text(), "1");
  assert.equal(await (await fetch(`${url}/new`, { headers })).text(), "null");
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

test("express-session: while the store says that it is disconnected, requests have no session", async () => {
  await withSite({ saveUninitialized: true }, async ({ page, get }) => {
    let store: Store | undefined;
    page("/", (request, response) => {
      store ??= (request as { sessionStore?: Store }).sessionStore;
      response.json(request.session === undefined);
    });
    for (const [event, isMissing] of [
      ["connect", "false"],
      ["disconnect", "true"],
      ["connect", "false"],
    ] as const) {
      store?.emit(event);
      assert.equal((await get("/")).text, isMissing, event);
    }
  });
});

test("express-session: the cookie of a session without an end stays one, also when its data change", async () => {
  await withSite({ cookie: { maxAge: 60_000 } }, async ({ page, get }) => {
    page("/no-end", (request, response) => {
      request.session.cookie.expires = null;
      data(request)["n"] = 1;
      response.end();
    });
    assert.doesNotMatch(String((await get("/no-end")).set), /expires/i);
    const { cookie } = JSON.parse((await get("/show")).text) as { cookie: { expires: string | null } };
    assert.equal(cookie.expires, null);
    assert.doesNotMatch(String((await get("/write")).set), /expires/i);
    assert.equal((await get("/read")).text, "2");
  });
});
