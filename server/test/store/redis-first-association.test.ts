// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { anySession } from "../../src/session/filter.ts";
import { createIdIssuer } from "../../src/session/id.ts";
import type { Identity } from "../../src/session/session.ts";
import type { Traits } from "../../src/session/traits.ts";
import { createKeyNames } from "../../src/store/redis/layout/key-names.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { startTopologies } from "../support/redis/topologies.ts";
import { ids, lifetimes, MINUTE } from "../support/sessions.ts";

/*
 * The first ids of a session of which nothing is stored are written without the rules in Lua. These tests compare the
 * result with that of the rules, which apply if anything is stored of the session, such as the remainder of a record that
 * was set aside.
 */

const issuer = createIdIssuer([{ bytes: new Uint8Array(32).fill(7), createdAt: 0 }]);
const profiles = new Map([["remember", { idle: 3 * MINUTE, total: 600 * MINUTE }]]);

const { topologies } = startTopologies();

type Case = { given: Partial<Identity>; traits?: Partial<Traits>; age?: number; generation?: number };

const cases: Record<string, Case> = {
  customer: { given: { customerId: "c" } },
  visits: { given: { visitId: "v1", globalVisitId: "müller" } },
  "all ids": { given: { agentId: "a", customerId: "c", visitId: "v2", globalVisitId: "g" }, age: 4321 },
  "profile and label": { given: { visitId: "v3" }, traits: { profile: "remember", label: "Firefox" } },
  "label alone with ids": { given: { agentId: "a" }, traits: { label: "Firefox" } },
  "only a profile": { given: {}, traits: { profile: "remember" } },
  "the clock of another process is ahead": { given: { customerId: "c" }, age: -50 },
  "shortly before its expiry": { given: { customerId: "c" }, age: lifetimes.anonymous.idle - 1 },
  expired: { given: { customerId: "c", visitId: "v4" }, age: lifetimes.anonymous.idle },
  "another generation": { given: { customerId: "c", visitId: "v5" }, generation: 1 },
};

for (const [topology, reach] of Object.entries(topologies)) {
  test(`${topology}: the first ids of a session are stored as the rules store them`, async () => {
    const { url, nodes } = reach();
    const prefixes = ["first:", "rules:"] as const;
    const stores = await Promise.all(
      prefixes.map((prefix) => openRedisAt(url, { prefix, lifetimes: { ...lifetimes, profiles } })),
    );
    const command = async (...words: [string, ...string[]]): Promise<unknown> => {
      for (const node of nodes) {
        const reply = await node.command(...words).catch((error: Error) => error);
        if (!(reply instanceof Error)) return reply;
      }
      throw new Error(`no node has carried out ${words[0]}`);
    };
    try {
      for (const [name, { given, traits, age = 1000, generation = 0 }] of Object.entries(cases)) {
        const { handle, createdAt } = issuer.issue(Date.now());
        const seen: unknown[] = [];
        const lives: number[] = [];
        const results: unknown[] = [];
        for (const [i, prefix] of prefixes.entries()) {
          const keys = createKeyNames(prefix);
          if (prefix === "rules:") await command("SET", keys.setAside(handle), "key\nfingerprint\n", "PX", "60000");
          const both = { profile: null, label: null, ...traits };
          const result = await stores[i]?.associate({
            ...{ handle, generation, ids: ids(given), traits: both, scope: "everyone", now: createdAt + age },
          });
          assert.ok(result);
          results.push(result);
          const text = await command("GET", keys.session(handle));
          lives.push(Number(await command("PTTL", keys.session(handle))));
          const claim = given.visitId == null ? "" : await command("GET", keys.visit(given.visitId));
          const found: unknown[] = [];
          for (const [field, id] of Object.entries(given)) {
            const filter = { ...anySession, [field]: id };
            const page = await stores[i]?.listSessions({ filter, after: null, limit: 10, now: createdAt + age });
            found.push(page?.sessions.some((session) => session.handle === handle));
          }
          seen.push({ text, claim: String(claim).split(" ")[0], found });
        }
        assert.deepEqual(results[0], results[1], name);
        assert.deepEqual(seen[0], seen[1], name);
        const [life = 0, lifeByRules = 0] = lives;
        assert.ok(Math.abs(life - lifeByRules) < MINUTE / 2, `${name}: ${life} ms, ${lifeByRules} ms`);
      }
    } finally {
      await Promise.all(stores.map((store) => store.close()));
    }
  });
}
