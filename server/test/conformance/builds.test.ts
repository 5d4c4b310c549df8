// runs: outside

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createTransport } from "@antechamber/client/transport";
import { createVisitor, type Visitor } from "../../../client/test/middleware/visitor.ts";
import { serve } from "../support/in-process.ts";
import { long } from "../support/tier.ts";
import { buildExample, type Example } from "./builds.ts";
import { type Application, conformance, outages, type StartApplication, type Traits } from "./suite.ts";

interface Tested extends Example {
  readonly traits?: Traits;
  /** Signs anna in and out through the example's page. */
  readonly checkPages: (site: Application, visitor: Visitor) => Promise<void>;
}

const examples: readonly Tested[] = [
  {
    name: "next",
    routes: "lib/routes.ts",
    command: (port) => ["node_modules/next/dist/bin/next", "start", "--port", String(port), "--hostname", "127.0.0.1"],
    checkPages: checkNext,
  },
  {
    name: "sveltekit",
    routes: "src/routes.ts",
    command: () => ["build"],
    environment: { PROTOCOL_HEADER: "x-forwarded-proto" },
    traits: { isAlwaysSecure: true },
    checkPages: checkSvelteKit,
  },
  {
    name: "nuxt",
    routes: "server/lib/routes.ts",
    command: () => [".output/server/index.mjs"],
    checkPages: checkNuxt,
  },
];

// Installing and building takes a minute or more. middleware.test.ts calls the same middleware as the frameworks do.
if (long) for (const example of examples) testExample(example);

function testExample({ name, traits, checkPages, ...example }: Tested): void {
  let built: ReturnType<typeof buildExample> | undefined;
  const start: StartApplication = async (options) => {
    built ??= buildExample({ name, ...example });
    return await (await built).start(options);
  };
  after(async () => await (await built)?.[Symbol.asyncDispose]());

  conformance(`the built example ${name}`, start, traits);
  outages(new Map([[name, start]]));

  test(`the built example ${name}: its pages sign a customer in and out`, async () => {
    await using antechamber = await serve();
    await using site = await start({ url: antechamber.url, deadline: 20_000 });
    const visitor = createVisitor(site.url);
    assert.equal(await greeting(visitor), "Hello visitor");
    const { value: first = "" } = visitor.cookies.values().next();
    await checkPages(site, visitor);
    assert.equal(await greeting(visitor), "Hello visitor");
    const { records } = await createTransport({ url: antechamber.url }).timeline(first.slice(0, 24));
    const life = records.flatMap((entry) => (entry.type === "request" ? [] : [entry.type]));
    assert.deepEqual(life, ["created", "associated", "rotated", "ended"]);
    const paths = records.flatMap((entry) => (entry.type === "request" ? [entry.path] : []));
    assert.ok(!paths.includes("/api/me"), "requests of the application to itself are not recorded");
  });
}

async function greeting(visitor: Visitor): Promise<string | undefined> {
  const { text } = await visitor.visit("/");
  return /<h1[^>]*>(.*?)<\/h1>/.exec(text)?.[1]?.replaceAll(/<!--.*?-->/g, "");
}

async function checkNext({ url }: Application, visitor: Visitor): Promise<void> {
  const submit = async (fields: Record<string, string>) => {
    // A form of a server action works without scripts, by its hidden fields.
    const { text } = await visitor.visit("/");
    const body = new FormData();
    for (const [, name = "", value = ""] of text.matchAll(/<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?/g))
      body.set(name, value.replaceAll("&quot;", '"'));
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    const page = await visitor.visit("/", { method: "POST", body, headers: { origin: url } });
    assert.equal(page.status, 303, page.text);
    assert.match(page.headers.get("cache-control") ?? "", /no-store/);
  };
  await submit({ name: "anna", password: "correct horse" });
  assert.equal(await greeting(visitor), "Hello anna");
  await submit({});

  // A page that is the same for everybody is not cached with somebody's cookie.
  const fixed = await createVisitor(url).visit("/static");
  assert.equal(fixed.headers.getSetCookie().length, 1);
  assert.equal(fixed.headers.get("cache-control"), "no-store");
  // Without the proxy nobody can forge the header of the proxy.
  const headers = { "antechamber-session": `${btoa('{"found":{"info":{"customerId":"boss"}}}')}.${"0".repeat(64)}` };
  const unproxied = await createVisitor(url).visit("/page/unproxied", { headers });
  assert.deepEqual([unproxied.seen?.customerId, unproxied.seen?.isNew], [null, true]);
}

async function checkSvelteKit({ url }: Application, visitor: Visitor): Promise<void> {
  const headers = { "x-forwarded-proto": "http", origin: url };
  const submit = async (action: string, fields: Record<string, string>) => {
    const page = await visitor.visit(`/?/${action}`, { method: "POST", body: new URLSearchParams(fields), headers });
    assert.equal(page.status, 200, page.text);
  };
  await submit("signIn", { name: "anna", password: "correct horse" });
  assert.equal(await greeting(visitor), "Hello anna");
  await submit("signOut", {});

  // A new visitor's request, and the request of the application to itself, have the same session.
  const own = await createVisitor(url).visit("/own");
  const { session, inner } = JSON.parse(own.text) as Record<"session" | "inner", { sessionId: string; isNew: boolean }>;
  assert.deepEqual([inner.sessionId, session.isNew, inner.isNew], [session.sessionId, true, false]);
  assert.equal(own.headers.getSetCookie().length, 1);
}

async function checkNuxt(_site: Application, visitor: Visitor): Promise<void> {
  const send = async (path: string, body: object) => {
    const headers = { "content-type": "application/json" };
    const page = await visitor.visit(path, { method: "POST", body: JSON.stringify(body), headers });
    assert.equal(page.status, 200, page.text);
  };
  await send("/api/sign-in", { name: "anna", password: "correct horse" });
  assert.equal(await greeting(visitor), "Hello anna");
  await send("/api/sign-out", {});
}
