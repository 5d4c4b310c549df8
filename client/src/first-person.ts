import type { Ids } from "./call.ts";
import type { Identity } from "./protocol.ts";

/**
 * Returns whether `ids` have the first person of a session: its first customer, or its first agent while it has no
 * customer. Then the session is to get a new id. An agent who joins a customer's session must not cause that, because
 * the customer would not get the new id.
 */
export function isFirstPerson(session: Pick<Identity, "customerId" | "agentId">, ids: Ids): boolean {
  return !session.customerId && Boolean(ids.customerId || (ids.agentId && !session.agentId));
}
