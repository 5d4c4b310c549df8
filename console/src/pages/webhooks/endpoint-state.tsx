import type { WebhookInfo } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { Badge } from "../../ui/badge.tsx";
import { Time } from "../../ui/time.tsx";

/** The state of an endpoint: whether events are sent to it. */
export function EndpointState({ endpoint }: { readonly endpoint: WebhookInfo }): JSX.Element {
  if (endpoint.isEnabled) return <Badge tone="good">enabled</Badge>;
  return endpoint.disabledReason === "gone" ? (
    <Badge tone="bad">disabled by its receiver</Badge>
  ) : (
    <Badge tone="neutral">disabled</Badge>
  );
}

/** The number of deliveries that wait, and for how long. */
export function Backlog({ endpoint }: { readonly endpoint: WebhookInfo }): JSX.Element {
  if (endpoint.pending === 0) return <span class="quiet">none</span>;
  return (
    <span>
      {endpoint.pending.toLocaleString("en")}
      {endpoint.oldestPendingAt && (
        <span class="quiet">
          , oldest <Time at={endpoint.oldestPendingAt} />
        </span>
      )}
    </span>
  );
}
