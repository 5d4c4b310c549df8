import assert from "node:assert/strict";
import { test } from "node:test";
import { aliases } from "./aliases.ts";
import { identityOf, startApplication } from "./application.ts";
import { documentedBlock } from "./documents.ts";
import { caddy } from "./programs.ts";
import { proxyContract } from "./proxy-contract.ts";
import { startProxy } from "./proxy-process.ts";
import { smuggledThrough } from "./smuggling.ts";
import { asHeaders, only, openStage } from "./stage.ts";
import { sessionCookie, visit } from "./visitor.ts";

proxyContract(caddy, (text) =>
  text.replace("\troute {", () => `${documentedBlock("caddyfile")}\troute {`),
);

test("caddy: it is the clearing line that keeps the other spellings back", async () => {
  const through = await smuggledThrough(caddy, aliases(), (text) =>
    text.replace("request_header -Gkc*", ""),
  );
  for (const name of ["Gkc_customerid", "Gkc.customerid", "Gkc-Customer-Id", "Gkcagentid"]) {
    assert.ok(through.includes(name), `${name} is not among ${through.join(" ")}`);
  }
});

test("caddy: separators that follow each other do not get a header through", async () => {
  const names = aliases(["--", "__", "-_", "..", "-.-"]);
  assert.deepEqual(await smuggledThrough(caddy, names, (text) => text), []);
});

test("caddy: an answer that names no session is nobody's yes", async () => {
  await using application = await startApplication();
  await using stranger = await startApplication();
  const ports = { antechamber: stranger.port, application: application.port };
  await using proxy = await startProxy(caddy, ports);
  const answer = await visit(proxy.port, "/");
  assert.equal(answer.status, 502);
  assert.equal(answer.body, "");
  assert.deepEqual(application.take(), []);
});

test("caddy: more cookies than Antechamber reads are no obstacle", async () => {
  await using stage = await openStage(caddy);
  const session = await stage.antechamber.createSession({ customerId: "dave" });
  const filling = Array.from({ length: 8 }, (_, at) => `filling${at}=${"x".repeat(4000)}`);
  const headers = [`Cookie: ${filling.join("; ")}; sessionId=${session.sessionId}; a=b`];
  const answer = await visit(stage.proxy.port, "/", { headers });
  assert.equal(answer.status, 200, answer.body);
  assert.equal(sessionCookie(answer), undefined);
  const arrival = only(stage.application);
  assert.deepEqual(identityOf(arrival), asHeaders(session));
  const [cookies] = arrival.headers.filter(([name]) => name.toLowerCase() === "cookie");
  assert.ok((cookies?.[1].length ?? 0) > 32_000, "the application gets them all");
});
