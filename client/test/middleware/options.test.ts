import assert from "node:assert/strict";
import { test } from "node:test";
import createFastify from "fastify";
import { serve } from "../../../server/test/support/in-process.ts";
import { sessions as express } from "../../src/middleware/express.ts";
import { sessions as fastify } from "../../src/middleware/fastify.ts";
import { sessions as withFetch } from "../../src/middleware/fetch.ts";
import { sessions as hono } from "../../src/middleware/hono.ts";
import type { SessionsOptions } from "../../src/middleware/options.ts";
import { createRequestTracker, type RequestTracker } from "../../src/middleware/request-tracking.ts";
import { createWarnings } from "../../src/middleware/warnings.ts";
import { ProblemError } from "../../src/problem-error.ts";

/* The options of the middleware, and the warnings that it gives if there is no `onError`. */

/** Returns the session of a request without a cookie. */
function sessionOfFirstRequest(tracker: RequestTracker) {
  return tracker.track({ method: "GET", target: "/page", isEncrypted: false, header: () => undefined })?.session;
}

test("invalid options are refused at once, and the error says what to write instead", () => {
  const url = "http://127.0.0.1:8080";
  const wrong: readonly (readonly [options: unknown, message: RegExp])[] = [
    [undefined, /takes an object of options: url, /],
    ["http://127.0.0.1:8080", /takes an object of options/],
    [{}, /url is the address of Antechamber .* not undefined/],
    [{ url: "" }, /url is the address/],
    [{ url: "antechamber" }, /url is the address/],
    [{ url: "localhost:8080" }, /with http:\/\/ or https:\/\/.* not "localhost:8080"/],
    [{ url: "ftp://host/" }, /url is the address/],
    [{ url: "ftp://user:word@host/" }, /not "host\/"$/],
    [{ url: "user:word@host:8080" }, /not "host:8080"$/],
    [{ url: "http://user:word@host/" }, /option key/],
    [{ url: `${url}/?a=1` }, /no query/],
    [{ url, servce: "x" }, /no option servce: did you mean service\?/],
    [{ url, deadlnie: 3 }, /did you mean deadline\?/],
    [{ url, onerror: () => undefined }, /did you mean onError\?/],
    [{ url, somethingElse: 1 }, /no option somethingElse: choose from url, key/],
    [{ url, key: "two words" }, /^TypeError: key is/],
    [{ url, key: 7 }, /^TypeError: key is/],
    [{ url, deadline: 0 }, /more than 0 and up to 600000, not 0/],
    [{ url, deadline: Number.NaN }, /not NaN/],
    [{ url, deadline: 2 ** 31 }, /up to 600000/],
    [{ url, deadline: Infinity }, /up to 600000/],
    [{ url, service: "" }, /service is a text of 1 to 256/],
    [{ url, service: "s".repeat(257) }, /service is a text/],
    [{ url, create: "no" }, /create is true or false, not "no"/],
    [{ url, record: "all" }, /record is true, false or a function/],
    [{ url, onError: console }, /onError is a function/],
    [{ url, fetch: "fetch" }, /fetch is a function/],
    [{ url, sources: ["cookies"] }, /sources cannot be "cookies": did you mean cookie\?/],
    [{ url, sources: "cookie" }, /sources is a list/],
    [{ url, sources: [] }, /sources is a list/],
    [{ url, ignore: "/health" }, /ignore is a list/],
    [{ url, ignore: ["health"] }, /begin with \//],
    [{ url, ignore: ["/assets/*"] }, /regular expression/],
    [{ url, cookie: true }, /cookie takes an object/],
    [{ url, rotate: 1 }, /rotate is true or false, not 1/],
    [{ url, cookie: { maxage: 1 } }, /cookie has no option maxage: did you mean maxAge\?/],
    [{ url, cookie: { maxAge: 0 } }, /cookie.maxAge is a time in whole seconds, from 1 to 34560000/],
    [{ url, cookie: { maxAge: 30 * 24 * 3600 * 1000 } }, /cookie.maxAge/],
    [{ url, cookie: { maxAge: "1d" } }, /cookie.maxAge/],
    [{ url, cookie: { name: "a b" } }, /cookie.name/],
    [{ url, cookie: { path: "/;x" } }, /cookie.path/],
    [{ url, cookie: { path: "x" } }, /cookie.path begins with \//],
    [{ url, cookie: { domain: "https://shop.example" } }, /cookie.domain/],
    [{ url, cookie: { sameSite: "lax" } }, /did you mean Lax\?/],
    [{ url, cookie: { secure: "yes" } }, /cookie.secure is true or false/],
    [{ url, cookie: { sameSite: "None", secure: false } }, /needs cookie.secure/],
    [{ url, cookie: { name: "__Host-id", path: "/shop" } }, /allows no cookie.domain/],
  ];
  for (const [options, message] of wrong) {
    const refused = () => void createRequestTracker(options as SessionsOptions);
    const isClear = (error: unknown) => error instanceof TypeError && message.test(String(error));
    assert.throws(refused, isClear, `${JSON.stringify(options)}: ${String(message)}`);
  }
});

test("options that are undefined count as absent", async () => {
  const options: SessionsOptions = {
    url: new URL("http://127.0.0.1:8080"),
    key: process.env["NO_SUCH_KEY"],
    service: undefined,
    sources: undefined,
    cookie: { name: undefined, secure: undefined },
    onError: undefined,
  };
  await createRequestTracker(options).close();
});

test("every middleware refuses unknown options and accepts those of its framework", async () => {
  const url = "http://127.0.0.1:8080";
  const known = { url, property: "visitor" };
  await express(known).close();
  for (const sessions of [express, hono, withFetch]) {
    assert.throws(() => sessions({ url, servce: "x" } as never), /did you mean service/);
    assert.throws(() => sessions(undefined as never), /takes an object of options/);
  }
  assert.throws(() => hono(known), /no option property/);
  assert.throws(() => express({ url, property: "" }), /property is the name/);
  const app = createFastify();
  await app.register(fastify, { ...known, prefix: "/shop", logLevel: "warn" });
  await app.close();
  const misspelt = { url, propert: "visitor" } as never;
  await assert.rejects(async () => await createFastify().register(fastify, misspelt), /property/);
});

test("without onError each kind of failure causes a warning, at most once a minute", () => {
  const lines: string[] = [];
  let time = 0;
  const context = { url: "http://antechamber.example", hasKey: false, deadline: 250 };
  const warnings = createWarnings(
    context,
    (line) => lines.push(line),
    () => time,
  );
  const unreachable = new ProblemError({
    code: "network",
    cause: new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") }),
  });
  for (let failure = 0; failure < 500; failure++) warnings(unreachable, failure === 7 ? 3 : 0);
  warnings(new ProblemError({ code: "credential-required" }), 0);
  warnings(new TypeError(`a defect with ${"x".repeat(40)}`), 0);
  assert.equal(lines.length, 3);
  assert.match(lines[0] ?? "", /antechamber.example cannot be reached \(connect ECONNREFUSED\)/);
  assert.match(lines[1] ?? "", /asks for a key, and the option key is undefined or empty/);
  assert.match(lines[2] ?? "", /TypeError: a defect with <session id>/);
  time += 59_999;
  warnings(unreachable, 0);
  assert.equal(lines.length, 3);
  time += 1;
  warnings(unreachable, 0);
  assert.match(lines[3] ?? "", /Records lost: 3\. This happened 501 times/);
});

test("without onError a wrong address is reported with what to change", async (context) => {
  await using antechamber = await serve();
  const written = context.mock.method(console, "warn", () => undefined);
  for (const url of [antechamber.url.replace("http:", "https:"), `${antechamber.url}/v1`]) {
    const tracker = createRequestTracker({ url, deadline: 20_000 });
    assert.equal(await sessionOfFirstRequest(tracker), null);
    await tracker.close();
  }
  const lines = written.mock.calls.map(({ arguments: [line] }) => String(line));
  assert.equal(lines.length, 2, lines.join("\n"));
  assert.match(lines[0] ?? "", /Antechamber has no TLS: begin the option url with http/);
  assert.match(lines[1] ?? "", /its path must be in the setting basePath/);
});

test("without onError a wrong key is reported on standard error", async (context) => {
  await using antechamber = await serve({ config: { auth: "key" } });
  const written = context.mock.method(console, "warn", () => undefined);
  for (const key of ["ak_wrong", "", undefined]) {
    const tracker = createRequestTracker({ url: antechamber.url, key, deadline: 20_000 });
    for (let request = 0; request < 5; request++) assert.equal(await sessionOfFirstRequest(tracker), null);
    await tracker.close();
  }
  const lines = written.mock.calls.map(({ arguments: [line] }) => String(line));
  assert.equal(lines.length, 3, lines.join("\n"));
  assert.match(lines[0] ?? "", /does not accept the key/);
  for (const line of lines.slice(1)) assert.match(line, /asks for a key/);
});
