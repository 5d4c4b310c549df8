// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { handleOf } from "../../src/session/id.ts";
import { runHere, succeed, succeedJson } from "../support/command-line.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { DAY, MINUTE } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const lifetimes = {
  anonymous: { idle: 30 * MINUTE, total: DAY },
  recognized: { idle: 30 * MINUTE, total: DAY },
  profiles: new Map([["remember", { idle: 30 * DAY, total: 90 * DAY }]]),
};

/** A session as the commands show it. */
interface Shown extends Omit<Info, "sessionId"> {
  readonly handle: string;
  readonly status: string;
}

interface Info {
  readonly sessionId: string;
  readonly state: string;
  readonly customerId: string | null;
  readonly visitId: string | null;
  readonly lastActiveAt: string;
}

async function call(
  server: TestServer,
  method: string,
  path: string,
  ids: { customer?: string; visit?: string } = {},
): Promise<{ status: number; info: Info }> {
  const response = await fetch(`${server.url}/sessions/${path}`, {
    method,
    headers: {
      "content-type": "application/json",
      ...(ids.customer === undefined ? {} : { gkc_customerId: ids.customer }),
    },
    ...(ids.visit === undefined ? {} : { body: JSON.stringify({ visitId: ids.visit }) }),
  });
  return { status: response.status, info: (await response.json()) as Info };
}

function shownAs({ sessionId, ...rest }: Info, status: string): Shown {
  return { ...rest, handle: handleOf(sessionId), status };
}

test("the commands show a session like the server, and end it at once", async () => {
  await using server = await serve();
  const data = ["--data-dir", server.dataDir];
  const { info } = await call(server, "PUT", "new", { customer: "bob", visit: "v1" });
  const seen = await succeedJson<Shown>(["sessions", "get", info.sessionId, ...data]);
  assert.deepEqual(seen, shownAs(info, "live"));
  const text = await succeed(["sessions", "get", info.sessionId, ...data]);
  assert.match(text, /\ncustomerId +bob\n/);

  await succeed(["sessions", "end", info.sessionId, ...data]);
  const after = await call(server, "GET", info.sessionId, { customer: "bob" });
  assert.notEqual(after.info.sessionId, info.sessionId);
  assert.equal((await call(server, "POST", info.sessionId, { customer: "bob" })).status, 404);
  // The ended session's visit is free again (contract.md#rule-2).
  assert.equal((await call(server, "PUT", "new", { visit: "v1" })).status, 200);
  const ended = await succeedJson<Shown>(["sessions", "get", info.sessionId, ...data]);
  assert.equal(ended.status, "ended");
  const again = await runHere(["sessions", "end", info.sessionId, ...data]);
  assert.equal(again.code, 3);
  assert.match(again.stderr, /no such live session: .* has ended; antechamber sessions list --live shows the handles/);
  const wrong = await runHere(["sessions", "end", "customer-4711", ...data]);
  assert.equal(wrong.code, 3);
  assert.match(wrong.stderr, /neither a handle \(24 characters\) nor a session id \(40 characters\)/);
});

test("the commands show the profile and the label of a session, and select by label", async () => {
  await using server = await serve({ config: { lifetimes } });
  const data = ["--data-dir", server.dataDir];
  const labelled = async (label: string) => {
    const body = JSON.stringify({ profile: "remember", label });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${server.url}/sessions/new`, { method: "PUT", headers, body });
    return (await response.json()) as Info;
  };
  const info = await labelled("Firefox on Windows");
  await labelled("Firefox");
  assert.deepEqual(await succeedJson(["sessions", "get", info.sessionId, ...data]), shownAs(info, "live"));
  const byHandle = ["sessions", "get", handleOf(info.sessionId), ...data];
  assert.deepEqual(await succeedJson(byHandle), shownAs(info, "live"));
  const text = await succeed(["sessions", "list", ...data]);
  assert.match(text, /PROFILE +LABEL\n/);
  assert.match(text, /remember +Firefox on Windows\n/);
  const options = ["--label", "Firefox on Windows", ...data];
  assert.deepEqual(await succeedJson(["sessions", "list", "--json", ...options]), shownAs(info, "live"));
  assert.deepEqual(await succeedJson(["sessions", "end", "--json", ...options]), { sessions: 1, dryRun: false });
  assert.match(await succeed(["sessions", "list", "--live", ...options]), /no such sessions/);
  for (const [label, fault] of [
    ["", "is empty"],
    ["x".repeat(129), "is longer than 128 characters"],
  ] as const) {
    const refused = await runHere(["sessions", "list", "--label", label, ...data]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, new RegExp(`The label ${fault}`));
  }
});

test("an anonymous session that is not stored can be shown and ended", async () => {
  await using server = await serve();
  const data = ["--data-dir", server.dataDir];
  const { info } = await call(server, "PUT", "new");
  const seen = await succeedJson<Shown>(["sessions", "get", info.sessionId, ...data]);
  assert.deepEqual(seen, shownAs(info, "live"));
  await succeed(["sessions", "end", info.sessionId, ...data]);
  assert.notEqual((await call(server, "GET", info.sessionId)).info.sessionId, info.sessionId);
});

test("session ids of another service are not found", async () => {
  await using server = await serve();
  for (const id of ["undefined", "A".repeat(40), "00000000-0000-0000-0000-0000000000"]) {
    for (const action of ["get", "end"]) {
      const result = await runHere(["sessions", action, id, "--data-dir", server.dataDir]);
      assert.equal(result.code, 3, id);
      assert.equal(result.stdout, "");
    }
  }
});

test("the same commands work on the data while no server runs", async () => {
  await using folder = temporaryDirectory();
  const data = ["--data-dir", folder.path];
  let id = "";
  {
    await using server = await serve({ config: { dataDir: folder.path } });
    id = (await call(server, "PUT", "new", { customer: "bob" })).info.sessionId;
    await server.stop();
  }
  assert.equal((await succeedJson<Info>(["sessions", "get", id, ...data])).customerId, "bob");
  await succeed(["sessions", "end", id, ...data]);
  await using server = await serve({ config: { dataDir: folder.path } });
  assert.notEqual((await call(server, "GET", id)).info.sessionId, id);
});

test("after a rotation the new secret signs ids, and earlier ids stay valid, even across a restart", async () => {
  await using folder = temporaryDirectory();
  const ids: string[] = [];
  {
    await using server = await serve({ config: { dataDir: folder.path } });
    ids.push((await call(server, "PUT", "new")).info.sessionId);
    const rotated = await succeedJson<{ secrets: number }>([...["secrets", "rotate", "--data-dir", folder.path]]);
    assert.equal(rotated.secrets, 2);
    ids.push((await call(server, "PUT", "new")).info.sessionId);
    for (const id of ids) assert.equal((await call(server, "GET", id)).info.sessionId, id);
    await server.stop();
  }
  await using server = await serve({ config: { dataDir: folder.path } });
  for (const id of ids) assert.equal((await call(server, "GET", id)).info.sessionId, id);
});

test("control characters in an id do not reach the operator's terminal", async () => {
  await using server = await serve();
  const { info } = await call(server, "PUT", "new", { visit: "v\u202Etxt" });
  const text = await succeed(["sessions", "get", info.sessionId, "--data-dir", server.dataDir]);
  assert.match(text, /\nvisitId +v\uFFFDtxt\n/);
});

test("a stored session can be shown and ended by its handle, an unstored one cannot", async () => {
  await using server = await serve();
  const data = ["--data-dir", server.dataDir];
  const { info } = await call(server, "PUT", "new", { customer: "bob" });
  const handle = handleOf(info.sessionId);
  assert.deepEqual(await succeedJson<Shown>(["sessions", "get", handle, ...data]), shownAs(info, "live"));
  const unstored = handleOf((await call(server, "PUT", "new")).info.sessionId);
  for (const command of ["get", "end", "timeline", "data"]) {
    const { code, stdout } = await runHere(["sessions", command, unstored, ...data]);
    assert.deepEqual([code, stdout], [3, ""], command);
  }
  await server.stop();
  await succeed(["sessions", "end", handle, ...data]);
  const ended = await succeedJson<Shown>(["sessions", "get", handle, ...data]);
  assert.equal(ended.status, "ended");
  const acts = await succeed(["audit", "list", "--session", info.sessionId, ...data]);
  assert.match(acts, new RegExp(`session\\.end +done +.*session=${handle}`));
  assert.equal(await succeed(["audit", "list", "--session", handle, ...data]), acts);
});

test("the data of a live session can be shown, with nothing that controls the terminal", async () => {
  await using server = await serve();
  const data = ["--data-dir", server.dataDir];
  const { info } = await call(server, "PUT", "new", { customer: "bob" });
  const put = { cart: ["\u009b2J", 1], "\u202e": {} };
  const path = `${server.url}/sessions/${info.sessionId}/data`;
  const headers = { "content-type": "application/json" };
  assert.equal((await fetch(path, { method: "PUT", headers, body: JSON.stringify(put) })).status, 200);
  for (const name of [info.sessionId, handleOf(info.sessionId)]) {
    const shown = await succeed(["sessions", "data", name, ...data]);
    const line = await succeed(["sessions", "data", name, "--json", ...data]);
    assert.deepEqual([JSON.parse(shown), JSON.parse(line)], [put, put]);
    assert.equal(line.trimEnd().includes("\n"), false);
    assert.doesNotMatch(shown + line, /(?!\n)[\p{Cc}\p{Cf}]/u);
  }
  await server.stop();
  assert.deepEqual(await succeedJson(["sessions", "data", handleOf(info.sessionId), ...data]), put);
  await succeed(["sessions", "end", handleOf(info.sessionId), ...data]);
  assert.equal((await runHere(["sessions", "data", handleOf(info.sessionId), ...data])).code, 3);
});

test("all sessions of a customer except one are ended, by its handle or its id", async () => {
  await using server = await serve();
  const data = ["--data-dir", server.dataDir];
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) ids.push((await call(server, "PUT", "new", { customer: "bob" })).info.sessionId);
  const [first = "", second = ""] = ids;
  const live = async () => {
    const lines = await succeed(["sessions", "list", "--customer", "bob", "--live", "--json", ...data]);
    return lines.trim().split("\n").length;
  };
  const end = ["sessions", "end", "--customer", "bob", "--json"];
  const ended = async (...more: string[]) => succeedJson<{ sessions: number }>([...end, ...more, ...data]);
  assert.equal((await ended("--except", first, "--dry-run")).sessions, 3);
  assert.equal((await ended("--except", handleOf(first), "--active-since", "2126-01-01")).sessions, 0);
  assert.equal(await live(), 4);
  assert.equal((await ended("--except", handleOf(first))).sessions, 3);
  assert.equal(await live(), 1);
  assert.equal((await call(server, "GET", first)).info.sessionId, first);
  assert.notEqual((await call(server, "GET", second)).info.sessionId, second);
  for (const wrong of [
    ["sessions", "end", "--except", first],
    ["sessions", "end", first, "--except", first],
    ["sessions", "end", "--customer", "bob", "--except", "bob"],
  ]) {
    assert.equal((await runHere([...wrong, ...data])).code, 2, wrong.join(" "));
  }
  assert.equal(await live(), 1);
});
