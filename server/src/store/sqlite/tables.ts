import type { DatabaseSync } from "node:sqlite";
import { EventTable } from "./events/event-table.ts";
import { ExpiryCalendar } from "./events/expiry-calendar.ts";
import { SecondaryIndex } from "./index/secondary-index.ts";
import type { WriterOptions } from "./options.ts";
import { Journal } from "./records/journal.ts";
import { SegmentTable } from "./records/segment-table.ts";
import { ApiKeyTable } from "./tables/api-key-table.ts";
import { AuditTable } from "./tables/audit-table.ts";
import { DataTable } from "./tables/data-table.ts";
import { SessionTable } from "./tables/session-table.ts";
import { StatisticsTable } from "./tables/statistics-table.ts";
import { StoredResponses } from "./tables/stored-responses.ts";
import type { Transactional } from "./transactional.ts";
import { DeliveryTable } from "./webhooks/delivery-table.ts";
import { EndpointTable } from "./webhooks/endpoint-table.ts";

export type Tables = ReturnType<typeof openTables>;

/** Opens the tables. `satisfies` makes sure that each of them implements `Transactional`. */
export function openTables(database: DatabaseSync, options: WriterOptions) {
  const { lifetimes, maxRecords, mergeIndexAt, eventRetention } = options;
  const index = new SecondaryIndex(database, mergeIndexAt);
  const events = new EventTable(database, eventRetention);
  const calendar = new ExpiryCalendar();
  const sessions = new SessionTable(database, index, events.isOn ? calendar : undefined);
  const endpoints = new EndpointTable(database);
  const segments = new SegmentTable(database, sessions, lifetimes, maxRecords);
  return {
    index,
    events,
    calendar,
    sessions,
    data: new DataTable(database),
    segments,
    journal: new Journal(database, segments),
    responses: new StoredResponses(database),
    apiKeys: new ApiKeyTable(database),
    audit: new AuditTable(database),
    statistics: new StatisticsTable(database),
    endpoints,
    deliveries: new DeliveryTable(database, endpoints),
  } satisfies Record<string, Transactional>;
}
