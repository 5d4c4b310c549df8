import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import cookies from "@fastify/cookie";
import fastifySession from "@fastify/session";
import createFastify, { type FastifyInstance, type FastifyRequest, type InjectOptions } from "fastify";
import { serve, type TestServer } from "../../../server/test/support/in-process.ts";
import { antechamberSession, type OwnSessionOptions } from "../../src/stores/fastify-session.ts";
import { SECRET, TIMEOUT_MS } from "./sites/site.ts";

/* Options and methods of @fastify/session that its README describes, over the real service. */

let antechamber: TestServer;
before(async () => {
  antechamber = await serve();
});
after(() => antechamber[Symbol.asyncDispose]());

/** The methods of a session, for members of any name. */
interface OwnSession {
  readonly sessionId: string;
  readonly encryptedSessionId: string;
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  options(cookie: { readonly maxAge: number }): void;
  isModified(): boolean;
  isSaved(): boolean;
  save(): Promise<void>;
  regenerate(kept: readonly string[], done?: (error?: unknown) => void): Promise<void>;
}

type Handler = (session: OwnSession, request: FastifyRequest) => unknown;

interface Site {
  /** Handles a request, with the cookie of the last response that had one. Returns the result as JSON. */
  visit(handler: Handler, options?: InjectOptions): Promise<unknown>;
  readonly app: FastifyInstance;
  cookie: string;
  /** The cookies that the last response has set. */
  set: readonly string[];
}

async function withSite(options: Partial<OwnSessionOptions>, use: (site: Site) => Promise<void>): Promise<void> {
  const app = createFastify({ trustProxy: true });
  await app.register(cookies);
  await app.register(antechamberSession(fastifySession, { url: antechamber.url, timeout: TIMEOUT_MS }), {
    secret: SECRET,
    saveUninitialized: false,
    rolling: false,
    ...options,
    cookie: { secure: false, ...options.cookie },
  });
  let handle: Handler = () => undefined;
  app.get("/", async (request, reply) => {
    const result = JSON.stringify((await handle(request.session, request)) ?? null);
    return await reply.type("application/json").send(result);
  });
  const site: Site = {
    app,
    cookie: "",
    set: [],
    async visit(handler, given = {}) {
      handle = handler;
      const headers = { ...given.headers, ...(site.cookie === "" ? {} : { cookie: site.cookie }) };
      const response = await app.inject({ url: "/", ...given, headers });
      site.set = [response.headers["set-cookie"] ?? []].flat();
      if (site.set[0] !== undefined) site.cookie = site.set[0].split(";")[0] as string;
      return response.json();
    },
  };
  try {
    await use(site);
  } finally {
    await app.close();
  }
}

const write: Handler = (session) => {
  session.set("n", Number(session.get("n") ?? 0) + 1);
  return session.get("n");
};
const read: Handler = (session) => session.get("n") ?? null;

test("@fastify/session: saveUninitialized decides whether a session without data has a cookie", async () => {
  await withSite({ saveUninitialized: true }, async (site) => {
    const id = await site.visit((session) => session.sessionId);
    assert.equal(site.set.length, 1);
    assert.equal(await site.visit((session) => session.sessionId), id);
    assert.equal(await site.visit(write), 1);
    assert.equal(await site.visit(read), 1);
  });
});

for (const rolling of [false, true]) {
  test(`@fastify/session: rolling decides whether each response sets the cookie: ${rolling}`, async () => {
    await withSite({ rolling, cookie: { maxAge: 60_000 } }, async (site) => {
      await site.visit(read);
      assert.equal(site.set.length, 0);
      await site.visit(write);
      assert.equal(site.set.length, 1);
      assert.equal(await site.visit(read), 1);
      assert.equal(site.set.length, rolling ? 1 : 0);
    });
  });
}

test("@fastify/session: regenerate keeps the members that it is given, with a callback and without", async () => {
  await withSite({}, async (site) => {
    let id = await site.visit((session) => {
      session.set("a", 1);
      session.set("b", 2);
      return session.sessionId;
    });
    const regenerate: readonly ((session: OwnSession) => Promise<void>)[] = [
      (session) => session.regenerate(["a"]),
      (session) => promisify(session.regenerate.bind(session) as (kept: string[], done: () => void) => void)(["a"]),
    ];
    for (const each of regenerate) {
      await site.visit(each);
      const seen = await site.visit((session) => ({
        id: session.sessionId,
        a: session.get("a"),
        b: session.get("b") ?? null,
      }));
      const { id: next, ...members } = seen as { id: string };
      assert.notEqual(next, id);
      assert.deepEqual(members, { a: 1, b: null });
      id = next;
    }
  });
});

test("@fastify/session: callbacks of a session's methods get null or no error", async () => {
  await withSite({}, async (site) => {
    await site.visit(write);
    for (const method of ["save", "reload", "regenerate", "destroy"] as const) {
      const isNone = await site.visit(
        (_, { session }) =>
          new Promise((resolve) => {
            const call = session[method] as (done: (error?: unknown) => void) => void;
            call.call(session, (error) => resolve(error === undefined || error === null));
          }),
      );
      assert.equal(isNone, true, method);
    }
  });
});

test("@fastify/session: isModified and isSaved say whether there is something to store", async () => {
  await withSite({}, async (site) => {
    const states = await site.visit(async (session) => {
      const found = [session.isModified(), session.isSaved()];
      session.set("n", 1);
      found.push(session.isModified());
      await session.save();
      return [...found, session.isModified(), session.isSaved()];
    });
    assert.deepEqual(states, [false, false, true, false, true]);
    assert.equal(site.set.length, 1);
    assert.equal(await site.visit(read), 1);
  });
});

test("@fastify/session: the options of one session apply to its cookie from then on", async () => {
  await withSite({ cookie: { maxAge: 1000 }, rolling: true }, async (site) => {
    const lifetime = () => (Date.parse(/Expires=([^;]+)/.exec(site.set[0] ?? "")?.[1] ?? "") - Date.now()) / 1000;
    await site.visit((session) => {
      session.options({ maxAge: 600_000 });
      session.set("n", 1);
    });
    assert.ok(Math.abs(lifetime() - 600) < 60, String(site.set[0]));
    assert.equal(await site.visit(read), 1);
    assert.ok(Math.abs(lifetime() - 600) < 60, String(site.set[0]));
  });
});

test("@fastify/session: the cookie of a session that is gone is removed, if there is nothing to store", async () => {
  await withSite({}, async (site) => {
    const id = await site.visit((session) => {
      session.set("n", 1);
      return session.sessionId;
    });
    await fetch(`${antechamber.url}/sessions/${String(id)}`, { method: "DELETE" });
    assert.equal(await site.visit(read), null);
    assert.match(String(site.set[0]), /^sessionId=; .*Expires=Thu, 01 Jan 1970/);
  });
});

test("@fastify/session: a session that must be secure is stored over https only", async () => {
  await withSite({ cookie: { secure: true } }, async (site) => {
    await site.visit(write);
    assert.deepEqual(site.set, []);
    await site.visit(write, { headers: { "x-forwarded-proto": "https" } });
    assert.match(String(site.set[0]), /; Secure/);
    assert.equal(await site.visit(read, { headers: { "x-forwarded-proto": "https" } }), 1);
  });
});

test("@fastify/session: a cookie of an older secret is still read, and one with a prefix too", async () => {
  const old = "an older secret of more than thirty-two characters";
  let cookie = "";
  await withSite({ secret: old, cookiePrefix: "s:" }, async (site) => {
    await site.visit(write);
    ({ cookie } = site);
  });
  assert.match(cookie, /^sessionId=s%3A/);
  for (const [secret, n] of [[[SECRET, old], 1] as const, [SECRET, null] as const]) {
    await withSite({ secret: secret as string | string[], cookiePrefix: "s:" }, async (site) => {
      site.cookie = cookie;
      assert.equal(await site.visit(read), n);
    });
  }
});

test("@fastify/session: a decrypted session can be changed and saved", async () => {
  await withSite({}, async (site) => {
    await site.visit(write);
    const id = await site.visit((session) => session.encryptedSessionId);
    const request = {} as FastifyRequest;
    await new Promise<void>((resolve) => {
      site.app.decryptSession(String(id), request, () => resolve());
    });
    const session = request.session as unknown as OwnSession;
    assert.equal(session.get("n"), 1);
    session.set("n", 7);
    await session.save();
    assert.equal(await site.visit(read), 7);
  });
});

test("@fastify/session: after a callback has thrown, the data of the next new session are stored", async () => {
  await withSite({}, async (site) => {
    await site.visit(write);
    const id = await site.visit((session) => session.encryptedSessionId);
    const thrown = await thrownLater(() => {
      site.app.decryptSession(String(id), {} as FastifyRequest, () => {
        throw new Error("of the application");
      });
    });
    assert.match(String(thrown), /of the application/);
    site.cookie = "";
    assert.equal(await site.visit(write), 1);
    assert.equal(await site.visit(read), 1);
  });
});

/** Returns the next error that a callback of `process.nextTick` throws after `work`. Nothing else hears of it. */
async function thrownLater(work: () => void): Promise<unknown> {
  const { nextTick } = process;
  try {
    return await new Promise((resolve) => {
      process.nextTick = (callback: (...given: unknown[]) => void, ...given: unknown[]) => {
        nextTick(() => {
          try {
            callback(...given);
          } catch (error) {
            resolve(error);
          }
        });
      };
      work();
    });
  } finally {
    process.nextTick = nextTick;
  }
}
