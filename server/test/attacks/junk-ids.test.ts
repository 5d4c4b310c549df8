// runs: once

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { SessionInfo } from "@antechamber/client/protocol";
import { createIdIssuer } from "../../src/session/id.ts";
import { serve } from "../support/in-process.ts";
import { openConnection, type RawConnection, requestText } from "../support/raw-http.ts";
import { sized } from "../support/tier.ts";

const GETS = sized(1000, 4000, 1_000_000);
const CONNECTIONS = 8;

/** Generates ids that the server did not issue: random texts, and ids signed with another server's secret. */
function* junkIds(): Generator<string> {
  const foreign = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]);
  for (let i = 0; ; i++) {
    yield i % 2 === 0 ? foreign.issue(Date.now()).id : `${"junk".repeat(i % 50)}-${i}`;
  }
}

async function retrieve(connection: RawConnection, id: string): Promise<SessionInfo> {
  connection.send(requestText(`GET /sessions/${id}`));
  const { status, body } = await connection.response();
  assert.equal(status, 200, body);
  return JSON.parse(body) as SessionInfo;
}

test(`${GETS} retrievals with invalid ids adopt no id, store no row and use no disk space`, async () => {
  await using server = await serve({ config: { logLevel: "silent" } });
  const ids = junkIds();
  const ask = async (count: number) => {
    await using connection = await openConnection(server.port);
    for (let i = 0; i < count; i++) {
      const id = ids.next().value as string;
      assert.notEqual((await retrieve(connection, id)).sessionId, id);
    }
  };
  const before = bytesIn(server.dataDir);
  const each = Array.from({ length: CONNECTIONS }, () => ask(GETS / CONNECTIONS));
  await Promise.all(each);
  await server.restart();
  const database = new DatabaseSync(join(server.dataDir, "antechamber.db"), { readOnly: true });
  const { n } = database.prepare("SELECT count(*) AS n FROM sessions").get() ?? {};
  database.close();
  assert.equal(n, 0);
  // The server itself writes a little, such as the current time.
  assert.ok(bytesIn(server.dataDir) - before < 256 * 1024);
});

function bytesIn(folder: string): number {
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  return sizes.reduce((sum, size) => sum + size, 0);
}
