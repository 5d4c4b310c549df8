// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { startServer } from "../../../server/test/support/server-process.ts";
import { startHelpCentre } from "../help-centre.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly cookie: string | null;
}

async function ask(url: string, cookie = ""): Promise<Answer> {
  const response = await fetch(url, { headers: { cookie } });
  const text = await response.text();
  return { status: response.status, text, cookie: response.headers.get("set-cookie") };
}

function signIn(url: string, headers: Record<string, string>): Promise<Response> {
  const body = new URLSearchParams({ customer: "customer-1001" });
  return fetch(`${url}/sign-in`, { method: "POST", body, headers, redirect: "manual" });
}

test("without Antechamber the help articles are still served, and the page says that the visit is not recorded", async () => {
  await using antechamber = await startServer();
  const site = await startHelpCentre({ port: 0, antechamberUrl: antechamber.url });
  try {
    const cookie = (await ask(site.url)).cookie?.split(";")[0] ?? "";
    assert.match(cookie, /^sessionId=[\w-]{40}$/);
    assert.equal((await ask(`${site.url}/visit`, cookie)).status, 200);
    await antechamber.kill("SIGKILL");

    for (const path of ["/", "/search?q=refund", "/articles/return-an-order", "/sign-in"]) {
      const { status, text, cookie: set } = await ask(site.url + path, cookie);
      assert.equal(status, 200);
      assert.match(text, /<h1>/);
      assert.equal(set, null, "the visitor keeps the session for later");
    }
    const visit = await ask(`${site.url}/visit`, cookie);
    assert.equal(visit.status, 503);
    assert.match(visit.text, /Not at the moment/);
    assert.equal((await signIn(site.url, { cookie })).status, 503);
    assert.equal((await ask(`${site.url}/devices`, cookie)).status, 503);
  } finally {
    await site.close();
  }
});

test("a form on another site cannot sign anybody in", async () => {
  await using antechamber = await startServer();
  const site = await startHelpCentre({ port: 0, antechamberUrl: antechamber.url });
  try {
    const cookie = (await ask(site.url)).cookie?.split(";")[0] ?? "";
    const others = [{ "sec-fetch-site": "cross-site" }, { origin: "https://evil.example" }];
    for (const headers of others) {
      assert.equal((await signIn(site.url, { cookie, ...headers })).status, 403);
    }
    assert.match((await ask(`${site.url}/`, cookie)).text, /href="\/sign-in"/);
    const signedIn = await signIn(site.url, { cookie, origin: site.url });
    assert.equal(signedIn.status, 303);
    const renewed = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    assert.match((await ask(`${site.url}/`, renewed)).text, /Ada Moreno/);
  } finally {
    await site.close();
  }
});
