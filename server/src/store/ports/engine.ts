import type { AuditStore } from "./audit.ts";
import type { CredentialStore } from "./credentials.ts";
import type { DataStore } from "./data.ts";
import type { ErasureStore } from "./erasure.ts";
import type { EventLog } from "./events.ts";
import type { IdempotencyStore } from "./idempotency.ts";
import type { LifecycleStore } from "./lifecycle.ts";
import type { RecordStore } from "./records.ts";
import type { SessionSearch } from "./search.ts";
import type { SessionStore } from "./sessions.ts";
import type { StatisticsStore } from "./statistics.ts";
import type { TransferStore } from "./transfer.ts";
import type { WebhookStore } from "./webhooks.ts";

/**
 * All ports of a store engine. Only `runtime/` and the engines know this type. Every other part gets only the ports
 * that it uses. Every engine passes the same tests (`test/store/store-contract.ts`), with a real SQLite file or a real
 * Redis.
 *
 * An engine may assume:
 * - Session ids are authentic, because callers verify them first (`session/id.ts`). The only exception is the argument
 *   of `getCached`. So a session id for which nothing is stored is that of an implicit session (contract.md#rule-8).
 * - The ids of an identity are valid (`session/caller-ids.ts`).
 * - `now` never runs backwards. Times are Unix ms.
 *
 * Every engine promises:
 * - Every change of a session or of a visit is atomic, even if several processes use the store. If two requests exclude
 *   each other, exactly one of them succeeds (contract.md#rule-1 and contract.md#rule-2).
 * - When the promise of a change is fulfilled, the change survives a crash of the process. Whether it also survives a
 *   power failure is documented for each engine (contract.md#rule-7). No reader sees a change before it is durable.
 * - A call that cannot be carried out rejects with a `Refusal` with the code `unavailable`. It has changed nothing,
 *   unless `outcome` is `unknown`. Calls succeed again as soon as the store works again; nobody needs to restart it.
 * - Purging never delays a request.
 * - The ids and records of a session are kept for the retention after the session has ended or expired. After that the
 *   session is treated as unknown, whether or not it has been purged.
 */
export type StoreEngine = SessionStore &
  SessionSearch &
  RecordStore &
  IdempotencyStore &
  ErasureStore &
  CredentialStore &
  AuditStore &
  DataStore &
  EventLog &
  TransferStore &
  WebhookStore &
  StatisticsStore &
  LifecycleStore;
