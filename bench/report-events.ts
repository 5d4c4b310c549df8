import { median } from "./measure.ts";
import type { EventsResult, Results } from "./results.ts";
import { number, table } from "./table.ts";

const titles = {
  stream: "stream",
  "stream-over-redis": "stream, over Redis",
  webhook: "webhooks, one endpoint",
  "webhook-over-redis": "webhooks, one endpoint, over Redis",
  "redis-stream": "Redis Stream",
} as const;

/** Returns the section of the report on how events reach readers. */
export function eventsTable({ events }: Results): string {
  if (events.length === 0) return "";
  const rows = [...Map.groupBy(events, ({ channel, readers }) => `${channel} ${readers}`).values()].map((rounds) => {
    const [{ channel, readers }] = rounds as [EventsResult];
    const of = (pick: (result: EventsResult) => number, decimals: number) => number(median(rounds.map(pick)), decimals);
    return [
      titles[channel],
      String(readers),
      of(({ p50 }) => p50, 2),
      of(({ p99 }) => p99, 2),
      of(({ publishedPerSecond }) => publishedPerSecond, 0),
      of(({ deliveredPerSecond }) => deliveredPerSecond, 0),
    ];
  });
  const columns = ["", "readers", "p50 ms", "p99 ms", "published/s", "delivered/s"];
  const intro =
    "Latency from the request of a change to the reader, at 100 changes a second; then as many as 64 publishers can send.";
  return `## Events\n\n${intro}\n\n${table(columns, rows)}`;
}
