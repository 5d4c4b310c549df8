// runs: once
// needs: time

import { frameworks } from "../../../client/test/middleware/sites/all.ts";
import type { StartSite } from "../../../client/test/middleware/sites/site.ts";
import { startNext } from "./sites/next.ts";
import { startNitro } from "./sites/nitro.ts";
import { startSvelteKit } from "./sites/sveltekit.ts";
import { conformance, outages, type StartApplication } from "./suite.ts";

/** Starts a site whose streams end by themselves; the site's other tests hold them. */
const withOpenGate =
  (start: StartSite): StartApplication =>
  async (options) => {
    const site = await start(options);
    site.gate.open();
    return site;
  };

const newer = new Map([
  ["next", startNext],
  ["nitro", startNitro],
  ["sveltekit", startSvelteKit],
]);

for (const [name, start] of frameworks) conformance(name, withOpenGate(start), { passesIdentityHeaders: true });
for (const [name, start] of newer) conformance(name, start);
// The other four have theirs in client/test/middleware/outage.test.ts.
outages(newer);
