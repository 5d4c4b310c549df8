// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";
import { machineTime } from "../../src/runtime/clock.ts";
import { open } from "../../src/runtime/open-store.ts";
import { noIdentity } from "../../src/session/session.ts";
import { createApi, problemOf } from "../support/api.ts";
import { succeed } from "../support/command-line.ts";
import { serve } from "../support/in-process.ts";
import { unheard } from "../support/store-events.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const nothing = () => undefined;
const events = {
  ...unheard,
  ...{ created: nothing, associated: nothing, rotated: nothing, ended: nothing, recorded: nothing },
};

test("data stored under ids with spaces at their ends can be found, exported and erased", async () => {
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  const { config } = loadConfig({ flags: { dataDir }, env: {}, cwd: dataDir });
  const opened = await open(config, machineTime, events);
  for (const customerId of [" ann ", " bob "]) {
    const ids = { ...noIdentity, customerId, visitId: `${customerId} v ` };
    await opened.service.create(ids);
  }
  await opened.store.close();

  await using server = await serve({ config: { dataDir } });
  const api = createApi(server.url);
  const body = async (method: string, path: string) => {
    const answer = await api.call(method, path);
    assert.equal(answer.status, 200, answer.text);
    return answer.text;
  };
  const listed = async (query: string) =>
    (JSON.parse(await body("GET", `/sessions?${query}`)) as { total: number }).total;
  assert.equal(await listed("customerId=%20ann%20"), 1);
  assert.equal(await listed("visitId=%20ann%20%20v%20"), 1);
  const exported = await body("GET", "/customers/%20ann%20/export");
  assert.match(exported, /"type":"end","sessions":1\}/);
  const data = ["--data-dir", dataDir];
  const found = await succeed(["sessions", "list", "--customer", " bob ", ...data]);
  assert.match(found, / bob /);

  assert.match(await body("DELETE", "/customers/%20ann%20"), /"sessions":1/);
  assert.equal(await listed("customerId=%20ann%20"), 0);
  await succeed(["customers", "erase", " bob ", "--yes", ...data]);
  assert.equal(await listed("customerId=%20bob%20"), 0);
  problemOf(await api.create({ json: { visitId: " v " } }), 400, "invalid-request");
});
