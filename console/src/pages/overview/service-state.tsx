import type { Health, WebhookInfo } from "@antechamber/client/protocol";
import type { ComponentChildren, JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { viewer } from "../../api/viewer.ts";
import { REFRESH_MS } from "../../polling.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { formatBytes } from "../../ui/bytes.ts";
import { relativeTime, Time } from "../../ui/time.tsx";
import { numberText } from "./figures.ts";

/** Age (ms) of the oldest pending delivery at which a queue counts as late. */
const LATE_MS = 60_000;

/** The state of the process and of its webhooks, for administrators: the API shows them to nobody else. */
export function ServiceState(): JSX.Element | null {
  return viewer.value?.role === "administrator" ? <StateLine /> : null;
}

function StateLine(): JSX.Element | null {
  const state = useLoaded(
    "state",
    async (signal) => {
      const [health, webhooks] = await Promise.all([
        administration.health({ signal }),
        administration.webhooks.list({ signal }),
      ]);
      return { health, webhooks };
    },
    { everyMs: REFRESH_MS },
  );
  if (state.value === undefined) {
    return state.error === undefined ? null : (
      <p class="state-line" role="status">
        <Badge tone="bad">The state of the service is unknown</Badge>
      </p>
    );
  }
  const { health, webhooks } = state.value;
  return (
    <ul class="state-line" aria-label="State of the service">
      <li>
        <Badge tone={state.error === undefined ? toneOf(health) : "warning"}>
          {state.error === undefined ? storeTextOf(health) : "The service does not respond"}
        </Badge>
      </li>
      <li>
        <span class="label">Store</span> {health.store.engine === "redis" ? "Redis" : "SQLite"}
        {health.store.bytes !== null && `, ${formatBytes(health.store.bytes)}`}
        {`, ${numberText(health.store.pendingChanges)} waiting`}
      </li>
      <li>
        <span class="label">Webhooks</span> <WebhookBacklog webhooks={webhooks} />
      </li>
      <li>
        <span class="label">Memory</span> {formatBytes(health.memoryBytes)}
      </li>
      <li>
        <span class="label">Started</span> <Time at={health.startedAt} />
      </li>
      <li class="state-version">
        {health.version} on {health.runtime}
      </li>
    </ul>
  );
}

function toneOf({ status, store }: Health): Tone {
  if (store.lostShards > 0 || store.shardsToRepair > 0) return "bad";
  return status === "ok" ? "good" : status === "stopping" ? "warning" : "bad";
}

function storeTextOf({ status, store }: Health): string {
  if (status === "ok" && store.shardsToRepair > 0) return `Indexes of ${store.shardsToRepair} of 256 shards to repair`;
  if (status === "ok") return store.lostShards > 0 ? `${store.lostShards} of 256 shards lost their data` : "Healthy";
  return status === "stopping" ? "Stopping" : "The store accepts no changes";
}

function WebhookBacklog({ webhooks }: { readonly webhooks: readonly WebhookInfo[] }): ComponentChildren {
  if (webhooks.length === 0) return "none";
  const pending = webhooks.reduce((sum, webhook) => sum + webhook.pending, 0);
  const oldest = Math.min(...webhooks.map(({ oldestPendingAt }) => Date.parse(oldestPendingAt ?? "") || Date.now()));
  if (pending === 0) return `${countText(webhooks.length)}, all delivered`;
  const text = `${numberText(pending)} pending, oldest ${relativeTime(oldest)}`;
  return Date.now() - oldest > LATE_MS ? <Badge tone="warning">{text}</Badge> : text;
}

function countText(endpoints: number): string {
  return endpoints === 1 ? "1 endpoint" : `${endpoints} endpoints`;
}
