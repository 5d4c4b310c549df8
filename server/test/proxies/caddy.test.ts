// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { aliases } from "./aliases.ts";
import { startApplication } from "./application.ts";
import { caddy } from "./caddy.ts";
import { documentedBlock } from "./documents.ts";
import { passManyCookies } from "./forwarding-contract.ts";
import { proxyContract } from "./proxy-contract.ts";
import { startProxy } from "./proxy-process.ts";
import { startProxySetup } from "./setup.ts";
import { smuggledThrough } from "./smuggling.ts";
import { visit } from "./visitor.ts";

proxyContract(caddy, (text) => text.replace("\troute {", () => `${documentedBlock("caddyfile")}\troute {`));

test("caddy: other spellings of the identity headers arrive if the example's line that clears them is missing", async () => {
  const through = await smuggledThrough(caddy, aliases(), (text) => text.replace("request_header -Gkc*", ""));
  for (const name of ["Gkc_customerid", "Gkc.customerid", "Gkc-Customer-Id", "Gkcagentid"]) {
    assert.ok(through.includes(name), `${name} is not among ${through.join(" ")}`);
  }
});

test("caddy: identity headers with consecutive separators do not arrive", async () => {
  const names = aliases(["--", "__", "-_", "..", "-.-"]);
  assert.deepEqual(await smuggledThrough(caddy, names, (text) => text), []);
});

test("caddy: a response without a session does not count as authenticated", async () => {
  await using application = await startApplication();
  await using stranger = await startApplication();
  const ports = { antechamber: stranger.port, application: application.port };
  await using proxy = await startProxy(caddy, ports);
  const answer = await visit(proxy.port, "/");
  assert.equal(answer.status, 502);
  assert.equal(answer.body, "");
  assert.deepEqual(application.take(), []);
});

test("caddy: the session is found among more cookies than Antechamber reads, and among invalid ones", async () => {
  await using setup = await startProxySetup(caddy);
  await passManyCookies(setup, "dave", 12);
});
