import assert from "node:assert/strict";
import type { EventInfo } from "@antechamber/client/protocol";
import { createApi } from "../support/api.ts";
import type { Received } from "../webhooks/receiver.ts";

/** The types of the events of a session that `changeSessions` has changed, in their order. */
export const CHANGES = ["session.created", "session.associated", "session.ended"];

/** The types of the events of each customer whose changes were acknowledged. Each customer has one session. */
export type Acknowledged = Map<string, string[]>;

/**
 * Creates, changes and ends sessions until `stop` is aborted or the server is gone. Each step may be refused. The customers
 * are named `name` with a number. The association gives a session the name of its customer as its visit.
 */
export async function changeSessions(
  url: string,
  name: string,
  acknowledged: Acknowledged,
  stop?: AbortSignal,
): Promise<void> {
  const api = createApi(url);
  const isStopped = () => stop?.aborted === true;
  for (let i = 0; !isStopped(); i++) {
    const customer = `${name}-${i}`;
    const types: string[] = [];
    acknowledged.set(customer, types);
    try {
      const created = await api.create({ headers: { gkc_customerId: customer } });
      if (created.status !== 200) continue;
      types.push("session.created");
      const { sessionId } = JSON.parse(created.text) as { sessionId: string };
      if ((await api.update(sessionId, { json: { visitId: customer } })).status !== 200) continue;
      types.push("session.associated");
      if ((await api.call("DELETE", `/sessions/${sessionId}`)).status === 204) types.push("session.ended");
    } catch {
      return;
    }
  }
}

/**
 * Returns the types of the events that a receiver of webhooks got about each customer, in their order. A receiver may get an
 * event twice after a failure; it counts once.
 */
export function typesByCustomer(received: readonly Received[]): Map<string, string[]> {
  const byCustomer = new Map<string, string[]>();
  for (const { body } of received) {
    const { type, data } = JSON.parse(body) as EventInfo;
    assert.ok("session" in data, body);
    const customer = data.session.customerId ?? "";
    const types = byCustomer.get(customer) ?? [];
    if (!types.includes(type)) types.push(type);
    byCustomer.set(customer, types);
  }
  return byCustomer;
}

/** Returns the customers of whom an acknowledged change is not among `found`. */
export function missingIn(found: ReadonlyMap<string, readonly string[]>, acknowledged: Acknowledged): string[] {
  const lacks = ([customer, types]: [string, string[]]) => types.some((type) => !found.get(customer)?.includes(type));
  return [...acknowledged].filter(lacks).map(([customer]) => customer);
}
