import type { EventInfo } from "@antechamber/client/protocol";
import type { Event, EventSession } from "../session/event.ts";
import { isRecognized } from "../session/session.ts";

/** Formats an event for readers of the stream and for webhooks (contract.md#events). */
export function eventInfo(event: Event): EventInfo {
  const { id, type } = event;
  const head = { id, type, timestamp: timeOf(event.timestamp) } as const;
  return { ...head, data: dataOf(event) } as EventInfo;
}

function dataOf(event: Event): object {
  switch (event.type) {
    case "webhook.test":
      return {};
    case "customer.erased":
      return { customerHash: event.customerHash };
    case "session.associated":
      return { session: sessionOf(event.session), added: event.added };
    case "session.ended":
    case "session.expired":
      return { session: sessionOf(event.session), reason: event.reason };
    default:
      return { session: sessionOf(event.session) };
  }
}

function sessionOf(session: EventSession) {
  const { handle, agentId, customerId, visitId, globalVisitId, createdAt, lastActiveAt, expiresAt, label } = session;
  return {
    handle,
    state: isRecognized(session) ? "recognized" : "anonymous",
    ...{ agentId, customerId, visitId, globalVisitId },
    createdAt: timeOf(createdAt),
    lastActiveAt: timeOf(lastActiveAt),
    expiresAt: timeOf(expiresAt),
    label,
  } as const;
}

function timeOf(time: number): string {
  return new Date(time).toISOString();
}
