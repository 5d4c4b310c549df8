// Fills the store in the folder ANTECHAMBER_DATA_DIR. It calls the server's services directly, without HTTP.
//   bun fill.ts COUNT FILE     creates COUNT recognized sessions and writes their ids to FILE, one per line
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { loadConfig } from "../server/src/config/load.ts";
import { machineTime } from "../server/src/runtime/clock.ts";
import { type Opened, open } from "../server/src/runtime/open-store.ts";
import { noIdentity } from "../server/src/session/session.ts";
import { UNIQUE_LENGTH } from "./requests.ts";

/** Number of sessions in a group, which are created together. Two groups are in progress at a time. */
const GROUP = 4000;

async function createGroup({ service }: Opened, count: number): Promise<string> {
  const random = randomBytes((count * 3 * UNIQUE_LENGTH) / 2).toString("hex");
  const unique = (index: number) => random.slice(index * UNIQUE_LENGTH, (index + 1) * UNIQUE_LENGTH);
  const sessions = await Promise.all(
    Array.from({ length: count }, async (_, index) =>
      service.create({
        ...noIdentity,
        customerId: unique(3 * index),
        visitId: unique(3 * index + 1),
        globalVisitId: unique(3 * index + 2),
      }),
    ),
  );
  return sessions.map(({ id }) => `${id}\n`).join("");
}

/**
 * Purges everything that is due. This also merges the log of the index of visits; otherwise the server would do so
 * while it is measured.
 */
async function keepHouse(): Promise<void> {
  while ((await opened.store.purgeExpired(opened.clock())).hasMore);
}

const count = Number(process.argv[2]);
const file = process.argv[3] ?? "";
const { config } = loadConfig({ flags: {}, env: process.env, cwd: process.cwd() });
const silence = () => {};
const opened = await open(config, machineTime, {
  created: silence,
  associated: silence,
  rotated: silence,
  ended: silence,
  committed: silence,
  failed: (error) => console.error(error),
  recorded: () => {},
  recordsLost: () => {},
  recordsDropped: () => {},
  credentialsChanged: () => {},
  noticed: () => undefined,
  suspended: () => undefined,
});
const ids = createWriteStream(file);
const started: Promise<string>[] = [];
for (let done = 0, asked = 0; done < count; ) {
  while (asked < count && started.length < 2) {
    started.push(createGroup(opened, Math.min(GROUP, count - asked)));
    asked += GROUP;
  }
  ids.write((await started.shift()) ?? "");
  done += GROUP;
  await keepHouse();
}
await opened.store.close();
await new Promise<void>((resolve) => ids.end(resolve));
console.log(`filled with ${count}`);
