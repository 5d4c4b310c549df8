import type { RequestRecord } from "@antechamber/client/protocol";
import { createTransport, type Ids, type Transport } from "@antechamber/client/transport";

/** A session that a test made. */
export interface MadeSession {
  readonly sessionId: string;
  readonly handle: string;
}

/** Creates a session with ids, and records requests in it. */
export async function makeSession(
  url: string,
  ids: Ids,
  { label, records = [] }: { readonly label?: string; readonly records?: readonly RequestRecord[] } = {},
): Promise<MadeSession> {
  const transport: Transport = createTransport({ url });
  const { sessionId } = await transport.create(ids, { label });
  for (let start = 0; start < records.length; start += 1000) {
    await transport.record(sessionId, records.slice(start, start + 1000), { durable: true });
  }
  return { sessionId, handle: sessionId.slice(0, 24) };
}

const labels = ["Firefox on Windows", "Safari on iPhone", "Chrome on Android", "Edge on Windows", "Firefox on Linux"];

/** Creates sessions of some customers of a shop, as a support agent finds them. */
export async function makeShopVisitors(url: string, count = 24): Promise<readonly MadeSession[]> {
  const names = ["mei.tanaka@shop.example", "customer-4711", "zoë@shop.example", "k-88213", "ana.sousa@shop.example"];
  const made: MadeSession[] = [];
  for (let at = 0; at < count; at++) {
    const customerId = at % 4 === 3 ? null : (names[at % names.length] ?? null);
    const ids = { customerId, visitId: `visit-${9000 + at}`, agentId: at % 7 === 2 ? "agent-ruth" : null };
    const label = labels[at % labels.length] ?? "";
    made.push(await makeSession(url, ids, { label, records: [{ method: "GET", path: "/articles" }] }));
  }
  const transport = createTransport({ url });
  for (const { sessionId } of made.slice(2, 6)) await transport.end(sessionId);
  return made;
}
