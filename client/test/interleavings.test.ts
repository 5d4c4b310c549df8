// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../src/client.ts";
import type { SessionInfo } from "../src/protocol.ts";
import { handleOf } from "../src/session-id.ts";
import { createVisitorClient } from "../src/visitor-client.ts";
import { type BrowserOptions, openBrowser } from "./fake-browser.ts";
import { identified } from "./identified.ts";
import { createRandom, openWorld, SERVICE, SITE, settle, shown, withoutDelays } from "./world.ts";

const LONG = Boolean(process.env["ANTECHAMBER_LONG"]);

interface Setup extends BrowserOptions {
  readonly cookie: boolean;
  readonly memoryOnly?: boolean;
  readonly tabs: number;
}

const setups: readonly Setup[] = [
  { storage: "works", locks: true, cookie: true, tabs: 2 },
  { storage: "works", locks: true, cookie: false, tabs: 3 },
  { storage: "works", locks: false, cookie: true, tabs: 2 },
  { storage: "slow", locks: true, cookie: true, tabs: 2 },
  { storage: "slow", locks: true, cookie: false, tabs: 2 },
  { storage: "slow", locks: false, cookie: false, tabs: 2 },
  { storage: "full", locks: false, cookie: true, tabs: 2 },
  { storage: "full", locks: true, cookie: false, tabs: 1 },
  { storage: "mute", locks: false, cookie: true, tabs: 2 },
  { storage: "mute", locks: false, cookie: false, tabs: 1 },
  { storage: "blocked", locks: false, cookie: true, tabs: 2 },
  { storage: "blocked", locks: true, cookie: false, tabs: 1 },
  { storage: "works", locks: true, cookie: true, memoryOnly: true, tabs: 2 },
];

/**
 * Plays one history: visitors use the browser one after another, with a reset between them, while calls are in
 * progress. A visitor signs in as a customer of the same name, so each session shows whose it is.
 */
async function play(setup: Setup, seed: number): Promise<void> {
  const choose = createRandom(seed);
  const browser = openBrowser(setup);
  const history: string[] = [];
  const world = openWorld(browser, history);
  const options = {
    url: SERVICE,
    fetch: world.fetch,
    cookie: setup.cookie,
    timeout: 60_000,
    ...(setup.memoryOnly ? { storage: false as const } : {}),
  };
  const tabs = Array.from({ length: setup.tabs }, () => createVisitorClient(browser.openTab(), options));
  const faults: string[] = [];
  const before = new Set<string>();
  let visitor = 0;
  const name = () => `visitor-${visitor}`;
  const what = () => `${JSON.stringify(setup)}, seed ${seed}:\n${history.join("\n")}`;

  /** Checks that a call did not return an earlier visitor's session. */
  function checkResult(info: SessionInfo, asked: number): void {
    history.push(`got ${shown(info)}`);
    const isLater = setup.storage === "slow" && asked < visitor;
    if (isLater) return;
    const isOwn = info.customerId === null || info.customerId === name();
    if (!isOwn && setup.storage !== "slow") faults.push(`${name()} got ${info.customerId}`);
  }

  async function act(tab: Client): Promise<void> {
    const asked = visitor;
    switch (choose(4)) {
      case 0:
        history.push(`session in tab ${tabs.indexOf(tab)}`);
        return checkResult(await tab.session(), asked);
      case 1:
        history.push(`identify ${name()} in tab ${tabs.indexOf(tab)}`);
        return checkResult(await identified(tab, { customerId: name() }), asked);
      case 2:
        history.push(`sign-in ${name()} in tab ${tabs.indexOf(tab)}`);
        return void (await tab.fetch(`${SITE}/sign-in?${name()}`));
      default:
        history.push(`page in tab ${tabs.indexOf(tab)}`);
        return void (await tab.fetch(`${SITE}/`));
    }
  }

  const pending: Promise<void>[] = [];
  for (let step = 0; step < 14; step++) {
    const tab = tabs[choose(tabs.length)];
    if (!tab) continue;
    const kind = choose(10);
    if (kind < 3) pending.push(act(tab).catch((error: unknown) => void history.push(String(error))));
    else if (kind < 4) {
      for (const handle of world.service.sessions.keys()) before.add(handle);
      const isSignOut = choose(2) === 1;
      history.push(`${isSignOut ? "sign-out" : "reset"} in tab ${tabs.indexOf(tab)}`);
      // Two resets never happen in the same millisecond, so each `Date.now()` is later than the one before.
      const { now } = Date;
      for (const start = now(); now() === start; );
      if (isSignOut) pending.push(tab.signOut().then(() => undefined));
      else tab.reset();
      visitor += 1;
    } else if (kind < 6) browser.deliver(choose(tabs.length));
    else {
      history.push("something arrives");
      world.letOneArrive(choose);
    }
    await settle();
  }
  const outcome = <T>(result: Promise<T>) => world.outcome(result, choose);
  await outcome(Promise.all(pending));
  for (const index of tabs.keys()) while (browser.deliver(index));

  const last: string[] = [];
  for (const tab of tabs) {
    const info = await outcome(tab.session());
    for (const index of tabs.keys()) while (browser.deliver(index));
    const { sessionId, customerId } = info;
    history.push(`in the end ${shown(info)}`);
    const isOwn = customerId === null || customerId === name();
    assert.ok(isOwn, `${name()} is in the session of ${customerId}: ${what()}`);
    assert.ok(!before.has(handleOf(sessionId)), `${sessionId} is from before the reset: ${what()}`);
    last.push(sessionId);
  }
  const isShared = setup.storage === "works" && !setup.memoryOnly;
  if (isShared) assert.equal(new Set(last).size, 1, `the tabs differ: ${what()}`);
  assert.deepEqual(faults, [], what());
  await Promise.all(tabs.map((tab) => tab.close()));
}

for (const setup of setups) {
  const { storage, locks, cookie, memoryOnly } = setup;
  const name = `storage ${memoryOnly ? "off" : storage}, ${locks ? "" : "no "}locks, ${cookie ? "" : "no "}cookie`;
  test(`whatever calls are in progress at a reset, the next visitor gets a new session: ${name}`, async () => {
    using _ = withoutDelays();
    const histories = LONG ? 3000 : 20;
    for (let seed = 1; seed <= histories; seed++) await play(setup, seed);
  });
}
