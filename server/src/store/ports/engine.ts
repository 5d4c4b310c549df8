import type { AuditStore } from "./audit.ts";
import type { CredentialStore } from "./credentials.ts";
import type { ErasureStore } from "./erasure.ts";
import type { IdempotencyStore } from "./idempotency.ts";
import type { LifecycleStore } from "./lifecycle.ts";
import type { RecordStore } from "./records.ts";
import type { SessionSearch } from "./search.ts";
import type { SessionStore } from "./sessions.ts";
import type { TransferStore } from "./transfer.ts";

/**
 * Everything that a store engine implements. Only `runtime/` and the engines know this type: every other
 * part is given the ports that it uses. Every engine passes the same suite
 * (`test/store/store-contract.ts`) against the real thing.
 *
 * What an engine may assume:
 * - Session ids are authentic, because callers verify them first (`session/id.ts`), except for
 *   `getCached`. So an id of which nothing is stored is an implicit session (contract.md#rule-8).
 * - Ids of callers are valid (`session/caller-ids.ts`), and `now` never runs backwards.
 * - Times are Unix ms.
 *
 * What every engine promises:
 * - A change is atomic, per session and per visit, also between processes: of two requests that
 *   cannot both win exactly one does (contract.md#rule-1 and contract.md#rule-2).
 * - When a promise that stores a change is fulfilled, the change survives the death of the process, and a
 *   power cut as far as the engine documents (contract.md#rule-7). A change that is not durable yet is
 *   never visible to a reader.
 * - A call that cannot be carried out rejects with `Refusal` `unavailable` and has changed nothing,
 *   unless its `outcome` is `unknown`. Later calls succeed by themselves as soon as the store can.
 * - Purging never delays a request.
 * - A session's ids and records are kept for the retention after its end; from then on the session is
 *   treated as unknown, whether or not it has been purged.
 */
export type StoreEngine = SessionStore &
  SessionSearch &
  RecordStore &
  IdempotencyStore &
  ErasureStore &
  CredentialStore &
  AuditStore &
  TransferStore &
  LifecycleStore;
