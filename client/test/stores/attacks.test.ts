import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../../../server/test/support/in-process.ts";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { createTransport } from "../../src/transport.ts";
import { createBrowser } from "./browser.ts";
import { startExpress } from "./sites/express.ts";
import { startFastify } from "./sites/fastify.ts";

const antechamber = oneServer();

/* The stores under hostile or unlucky visitors, data and services. */

for (const [name, start] of Object.entries({ "express-session": startExpress, "@fastify/session": startFastify })) {
  test(`${name}: of sign-ins at the same time each gets a session of its own, and the old id opens none of them`, async () => {
    await using site = await start({ url: antechamber.url });
    const transport = createTransport({ url: antechamber.url });
    const browser = createBrowser(site);
    const planted = String(await browser.visit((visit) => Object.assign(visit.session, { cart: 1 }) && visit.id()));
    let number = 0;
    site.handle = async (visit) => {
      const user = `user-${++number}`;
      Object.assign(await visit.regenerate(), { user });
      return { user, id: visit.id() };
    };
    const browsers = Array.from({ length: 20 }, () => createBrowser(site, browser.cookie));
    const results = (await Promise.all(browsers.map((each) => each.send()))) as { user: string; id: string }[];
    assert.equal(new Set(results.map(({ id }) => id)).size, 20);
    for (const [at, { user }] of results.entries()) assert.deepEqual(await browsers[at]?.visit(), { user });
    const seen = await transport.retrieve(planted);
    assert.equal(seen.state, "anonymous");
    assert.deepEqual(await browser.visit(), {});
  });

  test(`${name}: data that are too large or no JSON fail to be saved, and the session stays as it was`, async () => {
    await using site = await start({ url: antechamber.url });
    const browser = createBrowser(site);
    await browser.visit(({ session }) => Object.assign(session, { a: 1 }) && null);
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    const deep = Array.from({ length: 40 }).reduce<unknown>((inner) => [inner], 1);
    const wrong = [{ text: "x".repeat(17_000) }, { text: "\ud800" }, { deep }];
    // express-session reports data that are no JSON while it compares them, when no handler can respond any more.
    if (name !== "express-session") wrong.push({ circular } as never, { big: 1n } as never);
    for (const data of wrong) {
      const failure = await browser
        .visit(async (visit) => {
          Object.assign(visit.session, data);
          return await visit.save().then(
            () => "saved",
            (error: Error) => {
              for (const member of Object.keys(data)) delete visit.session[member];
              return error.message;
            },
          );
        })
        .catch(String);
      assert.notEqual(failure, "saved", JSON.stringify(failure));
      assert.deepEqual(await browser.visit(), { a: 1 });
    }
  });

  test(`${name}: if Antechamber stops during a request, the visitor gets a response or a closed connection at once`, async () => {
    await using server = await serve();
    await using site = await start({ url: server.url, timeout: 120_000 });
    const browser = createBrowser(site);
    await browser.visit(({ session }) => Object.assign(session, { a: 1 }) && null);
    const began = performance.now();
    const cut = await browser
      .visit(async ({ session }) => {
        await server.stop();
        session["b"] = 2;
        return "done";
      })
      .catch(() => "closed");
    // Much less than the time limit of the call.
    assert.ok(performance.now() - began < 60_000, JSON.stringify(cut));
    assert.match(JSON.stringify(await browser.visit()), /no response|unavailable/);
  });

  test(`${name}: a cookie of an ended, an expired or a foreign session begins a new one`, async () => {
    await using server = await serve({ frozen: true });
    await using other = await serve();
    await using site = await start({ url: server.url });
    await using foreign = await start({ url: other.url });
    const [ended, expired, away] = [createBrowser(site), createBrowser(site), createBrowser(foreign)];
    const unused = createBrowser(site);
    const write = (visit: { session: Record<string, unknown>; id(): string }) =>
      Object.assign(visit.session, { a: 1 }) && visit.id();
    const endedId = String(await ended.visit(write));
    const expiredId = String(await expired.visit(write));
    const awayId = String(await away.visit(write));
    await createTransport({ url: server.url }).end(endedId);
    server.pass(31 * 60_000);
    // The site has kept ids for new visitors, which have expired with the clock of the test.
    assert.match(
      JSON.stringify(await unused.visit(async (visit) => write(visit) && (await visit.save()))),
      /No live session/,
    );
    await using later = await start({ url: server.url });
    const cookies = [
      [ended.cookie, endedId],
      [expired.cookie, expiredId],
      [away.cookie, awayId],
    ] as const;
    for (const [cookie, id] of cookies) {
      const browser = createBrowser(later, cookie);
      assert.deepEqual(await browser.visit(), {});
      assert.notEqual(await browser.visit(write), id);
      assert.deepEqual(await browser.visit(), { a: 1 });
    }
  });
}
