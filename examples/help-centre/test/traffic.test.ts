// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdministration } from "@antechamber/client/administration";
import { startSiteProcess } from "./site-process.ts";

test("the example starts the console, and invented visitors whose sessions are all marked", async () => {
  await using site = await startSiteProcess({ traffic: true });

  const page = await fetch(site.consoleUrl);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<title>Antechamber/);

  const administration = createAdministration({ url: new URL(site.consoleUrl).origin });
  const giveUp = Date.now() + 60_000;
  for (;;) {
    const sessions = await Array.fromAsync(administration.list());
    if (sessions.length >= 20 && sessions.some(({ customerId }) => customerId !== null)) {
      assert.ok(sessions.every(({ label }) => label?.startsWith("simulated: ")));
      assert.ok(sessions.every(({ customerId }) => customerId === null || customerId.startsWith("simulated-")));
      break;
    }
    assert.ok(Date.now() < giveUp, `${sessions.length} sessions`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
