// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi } from "../support/api.ts";
import { openEvents } from "../support/event-streams.ts";
import { serve } from "../support/in-process.ts";
import { caddy } from "./caddy.ts";
import { nginx } from "./nginx.ts";
import { type ProxyProgram, startProxy } from "./proxy-process.ts";

/** Publishes the stream through the example's proxy, which buffers responses by default. */
const programs: readonly (readonly [ProxyProgram, (text: string) => string])[] = [
  [
    nginx,
    (text) =>
      text.replace(
        /^ {4}listen .*$/m,
        (line) =>
          `${line}\n    location = /events { proxy_set_header Host $http_host; proxy_pass http://antechamber; }`,
      ),
  ],
  [caddy, (text) => text.replace("\troute {", "\thandle /events {\n\t\treverse_proxy 127.0.0.1:8080\n\t}\n\troute {")],
];

for (const [program, publish] of programs) {
  test(`${program.example}: each event arrives as it happens`, async () => {
    await using server = await serve();
    await using proxy = await startProxy(program, { antechamber: server.port, application: server.port }, publish);
    const api = createApi(server.url);
    await using stream = await openEvents(`http://127.0.0.1:${proxy.port}`);
    for (const customerId of ["one", "two", "three"]) {
      await api.create({ headers: { "gkc-customerId": customerId } });
      // A proxy that holds events back would do so until many more have come.
      const [event] = await stream.take(1);
      assert.ok(JSON.stringify(event).includes(`"${customerId}"`));
    }
  });
}
