import type { LifeEntry } from "@antechamber/client/protocol";
import type { Band } from "./entries.ts";

const idNames = { customerId: "customer", agentId: "agent", visitId: "visit", globalVisitId: "global visit" } as const;

/** Returns an event of a session's life in words. */
export function lifeText({ type, ids }: LifeEntry): string {
  const added = addedIds(ids);
  switch (type) {
    case "created":
      return added === "" ? "The session began" : `The session began with ${added}`;
    case "associated":
      return ids.customerId === undefined ? `Now known: ${added}` : `Signed in: ${added}`;
    case "rotated":
      return "The session got a new id";
    case "ended":
      return "The session was ended";
    case "expired":
      return "The session expired";
  }
}

function addedIds(ids: LifeEntry["ids"]): string {
  return (Object.keys(idNames) as (keyof typeof idNames)[])
    .flatMap((name) => (ids[name] === undefined ? [] : [`${idNames[name]} ${ids[name]}`]))
    .join(", ");
}

/** Returns a part's identity in words. */
export function bandText({ customerId, agentId, isRecognized }: Band): string {
  const customer = customerId === null ? (isRecognized ? "No customer" : "Anonymous visitor") : customerId;
  return agentId === null ? customer : `${customer}, with agent ${agentId}`;
}
