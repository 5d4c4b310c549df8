// runs: once

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemUser } from "../../src/cli/system-user.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { commandNames, runHere } from "../support/command-line.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startReceiver } from "../webhooks/receiver.ts";
import { assertComplete, inShort, leftBy, trailIn } from "./trail.ts";

/** A data folder, and what is in it. */
interface World {
  readonly dataDir: string;
  /** Folder for files that the commands write. */
  readonly folder: string;
  readonly keys: readonly string[];
  readonly sessions: readonly string[];
  /** Id of an endpoint of webhooks with a delivery, whose receiver works. */
  readonly webhook: string;
  readonly isServed: boolean;
}

/** A command, and the entries that it adds to the audit trail. */
interface Act {
  readonly args: (world: World) => readonly string[];
  readonly leaves: readonly string[];
  /** The exit status, by default 0. */
  readonly code?: number;
}

/** The data folder as arguments, for every command except `migrate`. */
const onData = ({ dataDir }: World) => ["--data-dir", dataDir];
const looks = (...args: string[]): Act[] => [{ args: (world) => [...args, ...onData(world)], leaves: [] }];
const act = (args: (world: World) => readonly string[], ...leaves: string[]): Act => ({
  args: (world) => [...args(world), ...onData(world)],
  leaves,
});
const failing = (code: number, one: Act): Act => ({ ...one, code });
const move = ({ dataDir, isServed }: World, to: string) => [
  ...["migrate", "--from", `sqlite:${dataDir}`, "--to", `sqlite:${to}`],
  ...(isServed ? ["--ahead"] : []),
];

/** Every command with the entries that it adds to the audit trail, unless it does not access a store. */
const commands: Readonly<Record<string, readonly Act[] | "not about data">> = {
  serve: "not about data",
  "config show": "not about data",
  "config check": "not about data",
  health: "not about data",
  completion: "not about data",
  "keys create": [act(() => ["keys", "create", "--role", "reporter"], "key.create done")],
  "keys list": looks("keys", "list"),
  "keys rotate": [
    act(({ keys }) => ["keys", "rotate", keys[0] ?? ""], "key.rotate done"),
    failing(
      3,
      act(() => ["keys", "rotate", "k_0"], "key.rotate done"),
    ),
  ],
  "keys revoke": [
    act(({ keys }) => ["keys", "revoke", keys[1] ?? ""], "key.revoke done"),
    failing(
      3,
      act(() => ["keys", "revoke", "k_0"], "key.revoke done"),
    ),
  ],
  "sessions get": [act(({ sessions }) => ["sessions", "get", sessions[0] ?? ""])],
  "sessions list": looks("sessions", "list"),
  "sessions timeline": [act(({ sessions }) => ["sessions", "timeline", sessions[0] ?? ""])],
  "sessions data": [act(({ sessions }) => ["sessions", "data", sessions[0] ?? ""])],
  "sessions end": [
    act(({ sessions }) => ["sessions", "end", sessions[0] ?? ""], "session.end done"),
    act(() => ["sessions", "end", "--customer", "one", "--dry-run"], "sessions.end done"),
    act(() => ["sessions", "end", "--customer", "one"], "sessions.end done"),
  ],
  "customers export": [
    act(
      ({ folder }) => ["customers", "export", "two", "--out", join(folder, "two.jsonl")],
      "customer.export begun",
      "customer.export done",
    ),
  ],
  "customers erase": [act(() => ["customers", "erase", "two", "--yes"], "customer.erase begun", "customer.erase done")],
  stats: looks("stats"),
  "events tail": looks("events", "tail", "--once"),
  "audit list": looks("audit", "list"),
  "audit verify": looks("audit", "verify"),
  "webhooks list": looks("webhooks", "list"),
  "webhooks add": [act(() => ["webhooks", "add", "http://127.0.0.1:1/", "--disable"], "webhook.create done")],
  "webhooks show": [act(({ webhook }) => ["webhooks", "show", webhook])],
  "webhooks update": [
    act(({ webhook }) => ["webhooks", "update", webhook, "--description", "x"], "webhook.update done"),
    failing(
      3,
      act(() => ["webhooks", "update", "wh_0", "--disable"]),
    ),
  ],
  "webhooks test": [act(({ webhook }) => ["webhooks", "test", webhook], "webhook.test done")],
  "webhooks rotate-secret": [
    act(({ webhook }) => ["webhooks", "rotate-secret", webhook], "webhook.rotate-secret done"),
  ],
  "webhooks deliveries": [act(({ webhook }) => ["webhooks", "deliveries", webhook])],
  "webhooks redeliver": [act(({ webhook }) => ["webhooks", "redeliver", webhook, "1"], "webhook.redeliver done")],
  "webhooks remove": [
    act(({ webhook }) => ["webhooks", "remove", webhook], "webhook.delete done"),
    failing(
      3,
      act(() => ["webhooks", "remove", "wh_0"]),
    ),
  ],
  "secrets rotate": [act(() => ["secrets", "rotate"], "secret.rotate done")],
  backup: [
    act(({ folder }) => ["backup", join(folder, "copy.db")], "store.backup begun", "store.backup done"),
    failing(
      1,
      act(({ folder }) => ["backup", join(folder, "copy.db")], "store.backup begun", "store.backup failed"),
    ),
  ],
  migrate: [
    {
      args: (world) => move(world, join(world.folder, "target")),
      leaves: ["store.migrate begun", "store.migrate done"],
    },
    {
      args: (world) => move(world, join(world.folder, "taken")),
      leaves: ["store.migrate begun", "store.migrate failed"],
      code: 1,
    },
  ],
  doctor: looks("doctor"),
};

test("the table lists every command", () => {
  const names = commandNames().map((words) => words.join(" "));
  const leaves = names.filter((name) => name !== "" && !names.some((other) => other.startsWith(`${name} `)));
  assertComplete(commands, leaves);
});

/** Creates a data folder and calls `use`; if `isServed`, a server runs on the folder meanwhile. */
async function inWorld(isServed: boolean, use: (world: World) => Promise<void>): Promise<void> {
  await using own = temporaryDirectory();
  await using other = temporaryDirectory();
  await using receiver = await startReceiver();
  let webhook = "";
  const keys = [keyFor({ role: "agent" }, { id: "k_a" }), keyFor({}, { id: "k_b" })];
  const config = { dataDir: own.path };
  const sessions: string[] = [];
  const fill = async ({ url }: TestServer) => {
    const created = await createApi(url).call("POST", "/webhooks", { json: { url: receiver.url } });
    webhook = (JSON.parse(created.text) as { id: string }).id;
    await createApi(url).call("POST", `/webhooks/${webhook}/test`);
    for (const customer of ["one", "one", "two"]) {
      const headers = { gkc_customerId: customer };
      sessions.push(sessionOf(await createApi(url).create({ headers })).sessionId);
    }
  };
  {
    await using taken = await serve({ config: { dataDir: join(other.path, "taken") } });
    await fill(taken);
  }
  sessions.length = 0;
  const ids = keys.map(({ key }) => key.id);
  const worldOf = () => ({ dataDir: own.path, folder: other.path, keys: ids, sessions, webhook, isServed });
  {
    await using server = await serve({ config, keys: keys.map(({ key }) => key) });
    await fill(server);
    if (isServed) return await use(worldOf());
  }
  await use(worldOf());
}

for (const isServed of [true, false]) {
  test(`every command adds its entries to the audit trail, ${isServed ? "with a server" : "without one"}`, async () => {
    await inWorld(isServed, async (world) => {
      for (const [name, acts] of Object.entries(commands)) {
        if (acts === "not about data") continue;
        for (const { args, leaves, code = 0 } of acts) {
          const left = await leftBy(world.dataDir, async () => {
            const result = await runHere(args(world));
            assert.equal(result.code, code, `${name}: ${result.stderr}`);
          });
          assert.deepEqual(inShort(left), leaves, name);
          for (const { who, from } of left) {
            const { role, credential } = who;
            assert.deepEqual([role, credential], ["administrator", systemUser()], name);
            assert.equal(from, "command line");
          }
        }
      }
    });
  });
}

/** The entries about what `inWorld` does. */
const filled = ["webhook.create done", "webhook.test done"];

test("a migration copies the audit trail to the target and adds an entry about itself", async () => {
  await inWorld(false, async (world) => {
    const target = join(world.folder, "target");
    await runHere(["secrets", "rotate", ...onData(world)]);
    const ahead = [...move({ ...world, isServed: true }, target)];
    assert.equal((await runHere(ahead)).code, 0);
    assert.deepEqual(inShort(trailIn(target)), [...filled, "secret.rotate done", "store.migrate begun"]);
    const { code, stderr } = await runHere(move(world, target));
    assert.equal(code, 0, stderr);
    const moved = ["store.migrate begun", "store.migrate done"];
    assert.deepEqual(inShort(trailIn(target)), [...filled, "secret.rotate done", ...moved, ...moved]);
    const [last, other] = [target, world.dataDir].map((dataDir) => trailIn(dataDir).at(-1));
    assert.deepEqual(last?.details, other?.details);
    assert.equal(last?.details["sessionsRead"], 3);
    assert.equal(last?.details["to"], `sqlite:${target}`);
  });
});

test("an operation does not start if its first audit entry cannot be stored", async () => {
  await inWorld(false, async (world) => {
    const file = join(world.folder, "copy.db");
    writeFileSync(join(world.dataDir, "lock"), "not a lock at all ".repeat(1000));
    const { code } = await runHere(["backup", file, ...onData(world)]);
    assert.notEqual(code, 0);
    assert.ok(!existsSync(file));
  });
});
