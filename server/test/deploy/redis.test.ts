// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { formCluster, PASSWORD, prepareSite, type Site, send, sendUntil, startNodes } from "./redis-nodes.ts";

const addresses = [1, 2, 3, 4, 5, 6].map((last) => `127.0.77.${last}`);
/** The addresses that the same nodes have after a restart. */
const others = addresses.map((address) => address.replace(".77.", ".78."));

test("the nodes form one cluster, and form it again with their data when all restart at other addresses", async () => {
  await using folder = temporaryDirectory();
  const site = await prepareSite(folder.path, [...addresses, ...others]);
  {
    await using nodes = startNodes(site, addresses);
    const said = await formCluster(site, addresses);
    assert.match(said, /every slot is served/, nodes.output());
    assert.match(await formCluster(site, addresses), /in a cluster already/);

    const [first = ""] = addresses;
    await sendUntil((text) => text.match(/slave/g)?.length === 3, site, first, "cluster", "nodes");
    assert.match(await send(site, first, "config", "get", "appendfsync"), /always/);
    // Nodes may hear later than others that the cluster can be used.
    await eventually(async () => assert.equal(await sendToOwner(site, addresses, "set", "a-key", "kept"), "OK"));
  }
  await using nodes = startNodes(site, others);
  for (const address of others) {
    // A node also lists the old addresses of the others; only connections to the new ones count.
    const isJoined = (text: string) => others.every((other) => new RegExp(`${other}:.* connected`).test(text));
    await sendUntil(isJoined, site, address, "cluster", "nodes").catch((error: unknown) => {
      throw new Error(`${address}: ${String(error)}\n${nodes.output()}`);
    });
    await sendUntil((text) => text.includes("cluster_state:ok"), site, address, "cluster", "info");
  }
  await eventually(async () => assert.equal(await sendToOwner(site, others, "get", "a-key"), "kept"));
});

test("a node requires its password", async () => {
  await using folder = temporaryDirectory();
  const [address = ""] = addresses;
  const site = await prepareSite(folder.path, [address]);
  await using nodes = startNodes(site, [address]);
  await sendUntil((answer) => answer === "PONG", site, address, "ping");
  const refused = await send(site, address, "--no-auth-warning", "--pass", "wrong", "ping");
  assert.match(refused, /WRONGPASS|NOAUTH|AUTH failed/, nodes.output());
  assert.ok(!nodes.output().includes(PASSWORD));
});

/** Sends a command to all nodes and returns the reply of the one that serves the key. */
async function sendToOwner(site: Site, nodes: readonly string[], ...words: string[]): Promise<string> {
  const answers = await Promise.all(nodes.map((address) => send(site, address, ...words)));
  const [answer, ...more] = answers.filter((text) => !text.startsWith("MOVED"));
  assert.deepEqual(more, [], answers.join("\n"));
  return answer ?? answers.join("\n");
}
