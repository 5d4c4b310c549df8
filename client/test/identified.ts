import assert from "node:assert/strict";
import type { Client } from "../src/client.ts";
import type { SessionInfo } from "../src/protocol.ts";

/** Identifies somebody, and returns the session. Fails if the service did not answer in time. */
export async function identified(client: Client, ...given: Parameters<Client["identify"]>): Promise<SessionInfo> {
  const info = await client.identify(...given);
  assert.ok(info, "no answer came in time");
  return info;
}
