// runs: once

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { createIdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { createKeyNames, lastByteForVisit } from "../../src/store/redis/layout/key-names.ts";
import { until } from "../support/eventually.ts";
import { collectStores, openRedisAt } from "../support/redis/store.ts";
import { startTopologies } from "../support/redis/topologies.ts";
import { ids, lifetimes } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";

/*
 * Where the claims of visits are: in a cluster a session that is created with a visit shares the shard of the claim. The
 * claims of releases with the layout 1 have other names.
 */

const issuer = createIdIssuer([{ bytes: new Uint8Array(32).fill(7), createdAt: 0 }]);
const created = { outcome: "created" };
const conflict = { outcome: "conflict", field: "visitId" };

const { single, cluster, topologies } = startTopologies();

/** A test that opens stores, which are closed at its end. */
function storeTest(name: string, run: (open: typeof openRedisAt) => Promise<void>): void {
  test(name, async () => {
    const { open, closeAll } = collectStores();
    try {
      await run(open);
    } finally {
      await closeAll();
    }
  });
}

function create(store: StoreEngine, visitId: string, lastByte = store.lastByteOfHandle(visitId)) {
  const { handle, createdAt } = issuer.issue(Date.now(), lastByte);
  const session = newSession(handle, createdAt, ids({ visitId }), lifetimes);
  return { handle, result: store.create(session, Date.now()) };
}

storeTest("Redis Cluster: a session that is created with a visit is in the slot of the visit's claim", async (open) => {
  const store = await open(cluster().url);
  const keys = createKeyNames("ac:");
  for (const visitId of ["v1", "müller", randomUUID()]) {
    const { handle, result } = create(store, visitId);
    assert.deepEqual(await result, created);
    assert.ok(keys.isInShardOf(keys.visit(visitId), handle));
    assert.equal(await cluster().slotOf(keys.visit(visitId)), await cluster().slotOf(keys.session(handle)));
  }
  assert.equal(store.lastByteOfHandle(null), undefined, "without a visit the byte is random");
  assert.equal((await open(single().url)).lastByteOfHandle("v1"), undefined, "as it is on one server");
});

test("the shards of visits are spread evenly", () => {
  const counts = new Uint32Array(256);
  for (let i = 0; i < 256 * 200; i++) {
    const byte = lastByteForVisit(`visit-${i}`);
    counts[byte] = (counts[byte] as number) + 1;
  }
  // 200 of each are expected, with a standard deviation of 14.
  assert.ok(Math.min(...counts) > 200 - 6 * 14 && Math.max(...counts) < 200 + 6 * 14, counts.join(" "));
});

storeTest("Redis Cluster: one live session holds a visit, whichever slots its contenders are in", async (open) => {
  const store = await open(cluster().url);
  const end = (handle: string) => store.end({ handle, scope: "everyone", now: Date.now() });
  for (let round = 0; round < 20; round++) {
    const visitId = randomUUID();
    const own = lastByteForVisit(visitId);
    const bytes = [own, own ^ 1, own, own ^ 128];
    const contenders = bytes.map((lastByte) => create(store, visitId, lastByte));
    const { handle } = issuer.issue(Date.now());
    const request = { handle, generation: 0, ids: ids({ visitId }), scope: "everyone", now: Date.now() } as const;
    const association = store.associate(request);
    const results = await Promise.all(contenders.map(({ result }) => result));
    const winners = contenders.filter((_, i) => results[i]?.outcome === "created").map(({ handle: name }) => name);
    if ((await association).outcome === "associated") winners.push(handle);
    assert.equal(winners.length, 1, JSON.stringify(results));
    for (const result of results.filter(({ outcome }) => outcome !== "created")) assert.deepEqual(result, conflict);
    // Its end frees the visit.
    assert.equal(await end(winners[0] as string), true);
    assert.deepEqual(await create(store, visitId, bytes[round % 4]).result, created);
  }
});

storeTest(
  "claims of the layout 1 are not moved while an older server runs, nor used before all are moved",
  async (open) => {
    const prefix = "older:";
    const { url, node } = single();
    const keys = createKeyNames(prefix);
    const layout = () => node.command("HGET", keys.state, "layout");
    // A server of that release also says regularly that it runs.
    const older = await openRedisAt(url, { prefix, purpose: "serve" });
    await node.command("HSET", keys.state, "layout", "1");
    await node.command("SET", `${prefix}v:{${"a".repeat(18)}}`, "handle nonce");
    await until("it says that it runs", async () => (await node.command("HEXISTS", keys.state, "served")) === 1);
    await assert.rejects(open(url, { prefix, purpose: "serve" }), { fault: "in-use" });
    assert.equal(await layout(), "1");
    await older.close();
    await node.command("HDEL", keys.state, "served");

    const noticed = () => {
      throw new Error("the process dies when it has moved the claims");
    };
    await assert.rejects(open(url, { prefix, purpose: "serve", events: { ...unheard, noticed } }));
    assert.equal(await layout(), "1 to 2", "a release that knows only one of the layouts does not start");
    await open(url, { prefix, purpose: "serve" });
    assert.equal(await layout(), "2");
  },
);

for (const [topology, reach] of Object.entries(topologies)) {
  storeTest(
    `${topology}: claims of a release with the layout 1 hold, and are renamed when a server starts`,
    async (open) => {
      const { url, nodes } = reach();
      const prefix = `old[${randomUUID().slice(0, 4)}]*:`;
      const keys = createKeyNames(prefix);
      const command = async (...words: [string, ...(string | number)[]]): Promise<unknown> => {
        for (const node of nodes) {
          const reply = await node.command(...words).catch((error: Error) => error);
          if (!(reply instanceof Error)) return reply;
        }
        throw new Error(`no node has carried out ${words[0]}`);
      };
      const before = await open(url, { prefix });
      const held = Array.from({ length: 40 }, (_, i) => `held ${i}`);
      const holders = held.map((visitId) => create(before, visitId));
      for (const { result } of holders) assert.deepEqual(await result, created);
      // Such a release has stored the same claims under other names.
      const oldNameOf = (visitId: string) => keys.visit(visitId).replace(/v:\{..\}(.*)$/, "v:{$1}");
      for (const visitId of held) {
        const claim = String(await command("GET", keys.visit(visitId)));
        await command("DEL", keys.visit(visitId));
        await command("SET", oldNameOf(visitId), claim, "PX", 5_000_000);
      }
      await command("HSET", keys.state, "layout", "1");

      await open(url, { prefix, purpose: "look" });
      assert.equal(await command("HGET", keys.state, "layout"), "1", "a command changes nothing");
      const notices: string[] = [];
      const events = { ...unheard, noticed: (_: string, text: string) => void notices.push(text) };
      const [store] = await Promise.all([1, 2].map(() => open(url, { prefix, purpose: "serve", events })));
      assert.ok(store);
      assert.ok(
        notices.some((text) => text.startsWith("Renamed 40 claims")),
        notices.join("\n"),
      );
      assert.equal(await command("HGET", keys.state, "layout"), "2");
      for (const [i, visitId] of held.entries()) {
        assert.equal(await command("EXISTS", oldNameOf(visitId)), 0);
        const life = Number(await command("PTTL", keys.visit(visitId)));
        assert.ok(life > 4_900_000 && life <= 5_000_000, "the claim has the age that it had");
        assert.deepEqual(await create(store, visitId).result, conflict);
        await store.end({ handle: holders[i]?.handle ?? "", scope: "everyone", now: Date.now() });
        assert.deepEqual(await create(store, visitId).result, created);
      }
    },
  );
}
