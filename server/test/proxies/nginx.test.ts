// runs: outside
// needs: nginx

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressAliases, aliases } from "./aliases.ts";
import { startAntechamber } from "./antechamber.ts";
import { startApplication } from "./application.ts";
import { documentedBlock } from "./documents.ts";
import { nginx } from "./nginx.ts";
import { proxyContract } from "./proxy-contract.ts";
import { startProxy } from "./proxy-process.ts";
import { portsOf } from "./setup.ts";
import { smuggledThrough } from "./smuggling.ts";
import { visit } from "./visitor.ts";

const CLEARING = /^proxy_set_header gkc\S+ "";\n/gm;
const acceptUnderscores = (text: string) => text.replace("underscores_in_headers off;", "underscores_in_headers on;");

proxyContract(nginx, (text) => text.replace("    location / {", () => `${documentedBlock("nginx")}    location / {`));

test("nginx: with underscores_in_headers on, spellings of the identity headers with underscores do not arrive either", async () => {
  const names = [...aliases(), ...addressAliases()];
  assert.deepEqual(await smuggledThrough(nginx, names, acceptUnderscores), []);
});

test("nginx: other spellings of the identity headers arrive if the example's lines that clear them are missing", async () => {
  const through = await smuggledThrough(nginx, aliases(), (text) => acceptUnderscores(text.replaceAll(CLEARING, "")));
  for (const name of ["gkc_customerId", "gkc-customer-Id", "GKCAGENTID", "Gkc_Global-VisitId"]) {
    assert.ok(through.includes(name), `${name} is not among ${through.join(" ")}`);
  }
});

test("nginx: with a cookie's name that has a hyphen, the lines in the comment keep the application's cookie", async () => {
  await using antechamber = await startAntechamber({ ANTECHAMBER_COOKIE_NAME: "__Host-sessionId" });
  await using application = await startApplication({
    "set-cookie": "__Host-sessionId=of-the-application; Path=/; Secure",
  });
  const useComment = (text: string) =>
    text.replace(/^map \$upstream_cookie_sessionId [^}]*}\n/m, "").replaceAll(/^# {5}(?=map|}| {4})/gm, "");
  await using proxy = await startProxy(nginx, portsOf(antechamber, application), useComment);
  const response = await visit(proxy.port, "/sign-in", { method: "POST" });
  assert.equal(response.headers.get("set-cookie"), "__Host-sessionId=of-the-application; Path=/; Secure");
});
