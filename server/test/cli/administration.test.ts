// runs: once

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { handleOf } from "../../src/session/id.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { run, runHere, succeed, succeedJson } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { serve } from "../support/in-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const linesIn = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("sessions are found and ended, with and without a running server", async () => {
  await using server = await serve();
  const data = ["--data-dir", server.dataDir];
  const api = createApi(server.url);
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) {
    const headers = { gkc_customerId: i === 3 ? "berta" : "anna" };
    ids.unshift(sessionOf(await api.create({ headers, json: { visitId: `v${i}` } })).sessionId);
  }
  const handles = ids.map(handleOf);
  const list = async (...options: string[]) =>
    linesIn(await succeed(["sessions", "list", ...options, "--json", ...data]));
  assert.deepEqual(
    (await list()).map(({ handle }) => handle),
    handles,
  );
  assert.deepEqual(
    (await list("--customer", "anna", "--live")).map(({ handle }) => handle),
    handles.slice(1),
  );
  const table = await runHere(["sessions", "list", "--customer", "anna", "--limit", "2", ...data]);
  assert.match(table.stdout, /^HANDLE +STATUS +CUSTOMER/);
  assert.equal(table.stdout.trimEnd().split("\n").length, 3);
  assert.match(table.stderr, /There are more, 3 in all/);
  assert.match(await succeed(["sessions", "list", "--agent", "x", ...data]), /no such sessions/);

  const end = ["sessions", "end", "--customer", "anna"];
  assert.match(await succeed([...end, "--dry-run", ...data]), /^3 sessions would end/);
  assert.deepEqual(await succeedJson([...end, ...data]), { sessions: 3, dryRun: false });
  assert.equal((await api.call("HEAD", `/sessions/${ids[1]}`)).status, 404);
  assert.equal((await api.call("HEAD", `/sessions/${ids[0]}`)).status, 200);
  await server.stop();
  assert.deepEqual(
    (await list("--live")).map(({ handle }) => handle),
    [handles[0]],
  );
  assert.deepEqual(await succeedJson(["sessions", "end", "--all", ...data]), {
    sessions: 1,
    dryRun: false,
  });
});

test("a missing or contradictory filter is a usage error", async () => {
  for (const args of [
    ["sessions", "end"],
    ["sessions", "end", "--dry-run"],
    ["sessions", "end", "--all", "--customer", "anna"],
    ["sessions", "end", "AAAA", "--customer", "anna"],
    ["sessions", "end", "--customer", ""],
    ["sessions", "list", "--since", "yesterday"],
    ["sessions", "list", "--live", "--over"],
    ["audit", "list", "--last", "0"],
    ["audit", "list", "--customer", ""],
    ["audit", "list", "--session="],
    ["customers", "erase", "", "--yes"],
    ["customers", "export", ""],
    ...["--customer", "--agent", "--visit", "--global-visit", "--state", "--since", "--until"].flatMap((flag) => [
      ["sessions", "list", flag, ""],
      ["sessions", "end", `${flag}=`, "--dry-run", "--agent=a"],
    ]),
    ["sessions", "list", "--limit="],
  ]) {
    const { code } = await runHere(args);
    assert.equal(code, 2, args.join(" "));
  }
});

test("a customer is exported and erased, with entries in the audit trail", async () => {
  await using folder = temporaryDirectory();
  await using server = await serve();
  const data = ["--data-dir", server.dataDir];
  const api = createApi(server.url);
  const headers = { gkc_customerId: "anna-who-leaves" };
  const { sessionId } = sessionOf(await api.create({ headers }));
  await api.call("POST", `/sessions/${sessionId}/requests?durable=true`, {
    json: { method: "GET", path: "/what-anna-read" },
  });
  const file = join(folder.path, "anna.jsonl");
  await succeed(["customers", "export", "anna-who-leaves", "--out", file, ...data]);
  const lines = linesIn(readFileSync(file, "utf8"));
  assert.deepEqual(
    lines.map(({ type }) => type),
    ["session", "entry", "entry", "end"],
  );
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const printed = await succeed(["customers", "export", "anna-who-leaves", ...data]);
  assert.deepEqual(linesIn(printed), lines);
  const again = await runHere(["customers", "export", "anna-who-leaves", "--out", file, ...data]);
  assert.equal(again.code, 1);
  assert.ok(existsSync(file), "nothing is replaced, and nothing taken away");

  const unasked = await runHere(["customers", "erase", "anna-who-leaves", ...data]);
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /--yes/);
  const erase = ["customers", "erase", "anna-who-leaves", "--yes"];
  assert.deepEqual(await succeedJson([...erase, ...data]), { sessions: 1, keys: 0 });
  assert.equal((await api.call("HEAD", `/sessions/${sessionId}`)).status, 404);
  const bytes = readFileSync(join(server.dataDir, "antechamber.db"));
  assert.ok(!bytes.includes("anna-who-leaves") && !bytes.includes("/what-anna-read"));

  const about = linesIn(await succeed(["audit", "list", "--customer", "anna-who-leaves", "--json", ...data]));
  assert.deepEqual(
    about.map(({ what, outcome, from }) => [what, outcome, from].join(" ")),
    [
      "customer.export begun command line",
      "customer.export done command line",
      "customer.export begun command line",
      "customer.export done command line",
      "customer.erase begun command line",
      "customer.erase done command line",
    ],
  );
});

test("export and erase of an unknown customer change nothing and end with 3", async () => {
  await using folder = temporaryDirectory();
  await using server = await serve();
  const data = ["--data-dir", server.dataDir];
  const headers = { gkc_customerId: "anna" };
  sessionOf(await createApi(server.url).create({ headers }));
  const file = join(folder.path, "anna.jsonl");
  for (const args of [
    ["export", "Anna"],
    ["export", "anna ", "--out", file],
    ["erase", "ann", "--yes"],
    ["erase", "annna", "--yes", "--json"],
  ]) {
    // An export without `--out` goes to the standard output of the process.
    const carryOut = args.join(" ") === "export Anna" ? run : runHere;
    const { code, stderr } = await carryOut(["customers", ...args, ...data]);
    assert.equal(code, 3, args.join(" "));
    assert.match(stderr, /^antechamber: nothing is stored about a customer /);
  }
  assert.ok(!existsSync(file));
  await succeed(["customers", "export", "anna", "--out", file, ...data]);
  assert.match(await succeed(["customers", "erase", "anna", "--yes", ...data]), /1 session and 0/);
  assert.equal((await runHere(["customers", "erase", "anna", "--yes", ...data])).code, 3);
});

test("changes of keys and secrets are in the audit trail, which can be verified", async () => {
  await using folder = temporaryDirectory();
  const data = ["--data-dir", folder.path];
  await succeed(["keys", "create", "--role", "customer", "--customer", "änna", ...data]);
  const [key] = await succeedJson<{ id: string }[]>(["keys", "list", ...data]);
  await succeed(["keys", "revoke", key?.id ?? "", ...data]);
  await succeed(["secrets", "rotate", ...data]);
  const text = await succeed(["audit", "list", ...data]);
  assert.match(text, /key\.create +done.*\n.*key\.revoke +done.*\n.*secret\.rotate +done/);
  assert.ok(!text.includes("änna"));
  const verified = await succeedJson<{ entries: number; hash: string; faults: unknown[] }>([
    "audit",
    "verify",
    ...data,
  ]);
  assert.deepEqual([verified.entries, verified.faults], [3, []]);
  await succeed(["audit", "verify", "--expect", verified.hash, ...data]);
  assert.equal((await runHere(["audit", "verify", "--expect", "0".repeat(64), ...data])).code, 1);
  assert.match(await succeed(["doctor", ...data]), /\nretention +14 days.*\n(.*\n)*integrity +ok/);

  const database = new DatabaseSync(join(folder.path, "antechamber.db"));
  database.exec("UPDATE audit SET entry = replace(entry, 'revoke', 'create') WHERE sequence = 2");
  database.close();
  const forged = await runHere(["audit", "verify", ...data]);
  assert.equal(forged.code, 1);
  assert.match(forged.stdout, /entry 2: changed/);
  const doctor = await runHere(["doctor", ...data]);
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /entry 2 of the audit trail is changed/);
});

test("doctor checks the retention of sessions that have only records", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const { sessionId } = sessionOf(await api.create());
  const record = { method: "GET", path: "/", status: 200, startedAt: Date.now(), durationMs: 1 };
  const recorded = await api.call("POST", `/sessions/${sessionId}/requests`, { json: [record] });
  assert.equal(recorded.status, 202);
  assert.equal((await api.call("DELETE", `/sessions/${sessionId}`)).status, 204);
  await eventually(async () => {
    const told = await succeed(["doctor", "--data-dir", server.dataDir]);
    assert.match(told, /retention +14 days after its end; the oldest ended .*; none is overdue/);
  });
});

test("doctor counts live sessions with data, and finds data whose session is over or missing", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  const ids: string[] = [];
  for (const json of [{ cart: 1 }, { cart: 2 }, {}]) {
    const { sessionId } = sessionOf(await api.create());
    ids.push(sessionId);
    assert.equal((await api.call("PUT", `/sessions/${sessionId}/data`, { json })).status, 200);
  }
  assert.equal((await api.call("DELETE", `/sessions/${ids[0]}`)).status, 204);
  await server.stop();
  const doctor = ["doctor", "--json", "--data-dir", server.dataDir];
  const { sound, counts } = (await succeedJson(doctor)) as { sound: boolean; counts: Record<string, number> };
  assert.deepEqual([sound, counts["withData"]], [true, 1]);
  const database = new DatabaseSync(join(server.dataDir, "antechamber.db"));
  database.exec(`UPDATE session_data SET json = '{"cart":1}' WHERE json = ''`);
  database.exec("INSERT INTO session_data (session, changed, json) VALUES (1, 0, '{}')");
  database.close();
  const { code, stdout } = await runHere(doctor);
  assert.equal(code, 1);
  assert.deepEqual((JSON.parse(stdout) as { faults: string[] }).faults, [
    "1 rows of session data belong to no session",
    "1 sessions that are over still have data",
  ]);
});
