// needs: nothing

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { serve } from "../../server/test/support/in-process.ts";
import { createAdministration } from "../src/administration.ts";
import { type ClientOptions, createClient } from "../src/client.ts";
import { createTransport } from "../src/transport.ts";

const url = "http://127.0.0.1:8080";

/** Invalid options, and the expected errors. */
const misuse: readonly (readonly [options: unknown, message: RegExp])[] = [
  [undefined, /url is an address that begins with http:\/\/ or https:\/\//],
  [url, /url is an address/],
  [{}, /url .* not undefined/],
  [{ url: "" }, /url .* not ""/],
  [{ url: "localhost:8080" }, /begins with http:\/\/ .*, not "localhost:8080"/],
  [{ url: "sessions.example/base" }, /begins with http:\/\/ .*, not "sessions.example\/base"/],
  [{ url: "/antechamber" }, /url is an address/],
  [{ url: "antechamber" }, /url is an address/],
  [{ url: "ftp://sessions.example" }, /url is an address/],
  [{ url: "http://" }, /url is an address/],
  [{ url: "http://a b" }, /url is an address/],
  [{ url: "http://sessions.example/?a=b" }, /without user, query and fragment/],
  [{ url: "http://sessions.example/#a" }, /without user, query/],
  [{ url: 8080 }, /url is an address/],
  [{ url: "http://u@sessions.example" }, /without user/],
  [{ url, servce: "shop" }, /no option servce, only url, key/],
  [{ url, Key: "ak_a" }, /no option Key \(did you mean key\?\), only url, key/],
  [{ url, tiemout: 1 }, /did you mean timeout\?/],
  [{ url, toString: 1 }, /no option toString/],
  [{ url, key: "ak_a\n" }, /key is a text without spaces/],
  [{ url, key: 1 }, /key/],
  [{ url, timeout: "1000" }, /timeout is a number of milliseconds/],
  [{ url, timeout: 0 }, /timeout/],
  [{ url, timeout: null }, /timeout/],
  [{ url, timeout: Number.NaN }, /timeout/],
  [{ url, timeout: 2 ** 31 }, /timeout/],
  [{ url, fetch: "fetch" }, /fetch is a function/],
];
const clientMisuse: typeof misuse = [
  [{ url, attempts: 2 }, /no option attempts/],
  [{ url, storge: false }, /did you mean storage\?/],
  [{ url, storage: true }, /storage is false/],
  [{ url, storage: null }, /storage is false/],
  [{ url, storage: new Map() }, /storage is false/],
  [{ url, cookie: "sessionId" }, /cookie is a boolean, or \{ maxAge \}/],
  [{ url, cookie: { maxAge: 0 } }, /cookie is a boolean/],
  [{ url, cookie: { maxAge: 34_560_001 } }, /whole seconds up to 34560000/],
  [{ url, cookie: null }, /cookie is a boolean/],
  [{ url, rotate: 1 }, /rotate is a boolean/],
  [{ url, origins: "https://api.example" }, /\["https:\/\/api.example"\]/],
  [{ url, origins: ["https://api.example/"] }, /such as \["https:\/\/api.example"\]/],
  [{ url, origins: [url, "api.example"] }, /origins is a list/],
  [{ url, origins: ["*"] }, /origins is a list/],
  [{ url, sessionId: 7 }, /sessionId is a string/],
  [{ url, onError: true }, /onError is a function/],
];

const calls: readonly (readonly [string, (options: never) => unknown, typeof misuse])[] = [
  ["createClient()", createClient, [...misuse, ...clientMisuse]],
  ["createTransport()", createTransport, misuse],
  ["createAdministration()", createAdministration, misuse],
];
for (const [name, call, cases] of calls) {
  test(`${name} refuses invalid options with an error that says what to write`, () => {
    for (const [options, message] of cases) {
      assert.throws(
        () => call(options as never),
        (error) => {
          assert.ok(error instanceof TypeError);
          assert.match(error.message, message);
          return error.message.startsWith(name);
        },
        `${JSON.stringify(options)} was accepted`,
      );
    }
  });
}

test("ids and members of endpoints with unknown names are refused instead of ignored", async () => {
  const transport = createTransport({ url });
  const { webhooks } = createAdministration({ url });
  const ids = { custmerId: "customer-4711" } as never;
  const endpoint = { url: "https://shop.example/events", tpyes: ["session.ended"] } as never;
  const isClear = (name: string) => (error: unknown) => error instanceof TypeError && error.message.includes(name);
  await assert.rejects(transport.create(ids), isClear("no id custmerId, only agentId, customerId"));
  await assert.rejects(transport.update("A".repeat(40), ids), isClear("no id custmerId"));
  await assert.rejects(webhooks.create(endpoint), isClear("no option tpyes: did you mean types?"));
  await assert.rejects(webhooks.update("wh_1", endpoint), isClear("did you mean types?"));
});

test("without onError the first failure of each kind is printed, once", async (context) => {
  const written = context.mock.method(console, "warn", () => undefined);
  await using antechamber = await serve();
  const client = createClient({ url: antechamber.url, storage: false });
  for (let time = 0; time < 3; time++) {
    client.record({ method: "VIEW", path: "no slash at the beginning" });
    await client.flush();
  }
  client.record({ method: "VIEW", path: "/" });
  client.reset();
  await client.close();
  const lines = written.mock.calls.map((call) => call.arguments.join(" "));
  assert.equal(lines.length, 1, lines.join("\n"));
  assert.match(lines[0] ?? "", /records are not delivered: .*path/);
});

test("an error about a wrong option contains no key or password", () => {
  const secrets = [{ url, key: "ak_secret key" }, { url: "http://user:secret@sessions.example" }];
  for (const options of secrets) {
    assert.throws(
      () => createClient(options),
      (error) => !(error as Error).message.includes("secret"),
    );
  }
});

test("all valid options are accepted, and undefined counts as absent", () => {
  const all: ClientOptions = {
    url: new URL("https://sessions.example/base/"),
    key: "ak_a-b_c",
    timeout: 0.5,
    fetch,
    storage: false,
    cookie: false,
    origins: ["https://api.example", "http://127.0.0.1:3000"],
    sessionId: "",
    onError: () => undefined,
  };
  for (const options of [all, { ...all, key: "" }, { ...all, key: undefined, origins: [] }]) {
    assert.equal(typeof createClient(options).session, "function");
  }
});

/** Returns the output of a program that sets these globals and creates two clients. */
function outputOf(globals: string, options: string): string {
  // On the oldest Node this test is compiled to JavaScript.
  const type = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const client = new URL(`../src/client.${type}`, import.meta.url).href;
  const program = `
    for (const [name, value] of Object.entries(${globals}))
      Object.defineProperty(globalThis, name, { value });
    const { createClient } = await import(${JSON.stringify(client)});
    for (let n = 0; n < 2; n++) createClient({ url: "${url}"${options} });`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", program], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return stdout + stderr;
}

test("createClient on a server warns once that all visitors share its session", () => {
  const warning = outputOf("{}", "");
  assert.equal(warning.match(/one session for all visitors/g)?.length, 1);
  assert.match(warning, /@antechamber\/client\/express/);
  assert.match(warning, /storage: false/);
});

test("createClient does not warn if the option storage is set, or in a page", () => {
  assert.doesNotMatch(outputOf("{}", ", storage: false"), /one session/);
  const storage = "{ getItem: () => null, setItem() {}, removeItem() {} }";
  assert.doesNotMatch(outputOf("{}", `, storage: ${storage}`), /one session/);
  const document = "addEventListener() {}, cookie: '', visibilityState: 'visible'";
  const page = `{ navigator: {}, document: { ${document} }, location: new URL('http://site.test'), addEventListener() {} }`;
  assert.doesNotMatch(outputOf(page, ""), /one session/);
});
