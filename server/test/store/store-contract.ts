import { auditContract } from "./contract/audit.ts";
import { credentialsContract } from "./contract/credentials.ts";
import { dataContract } from "./contract/data.ts";
import { erasureContract } from "./contract/erasure.ts";
import { idempotencyContract } from "./contract/idempotency.ts";
import { lifecycleContract } from "./contract/lifecycle.ts";
import { provisionalContract } from "./contract/provisional.ts";
import { recordsContract } from "./contract/records.ts";
import { retentionContract } from "./contract/records-retention.ts";
import { searchContract } from "./contract/search.ts";
import { associationContract } from "./contract/sessions-association.ts";
import { creationContract } from "./contract/sessions-creation.ts";
import { lifetimeContract } from "./contract/sessions-lifetime.ts";
import { racesContract } from "./contract/sessions-races.ts";
import { rotationContract } from "./contract/sessions-rotation.ts";
import { traitsContract } from "./contract/sessions-traits.ts";
import { statisticsContract } from "./contract/statistics.ts";
import { transferContract } from "./contract/transfer.ts";
import { webhooksContract } from "./contract/webhooks.ts";
import type { DataFactory } from "./contract/world.ts";

/**
 * Registers the tests of every port in `src/store/ports`. Each engine runs all of them on real storage, which `make`
 * creates empty for each test.
 */
export function storeContract(name: string, make: DataFactory): void {
  sessionsContract(name, make);
  idempotencyContract(name, make);
  credentialsContract(name, make);
  lifecycleContract(name, make);
  transferContract(name, make);
  searchContract(name, make);
  auditContract(name, make);
  webhooksContract(name, make);
  statisticsContract(name, make);
}

/** Registers the part of `storeContract` in which an engine may return sessions from a cache. */
export function sessionsContract(name: string, make: DataFactory): void {
  basicContract(name, make);
  lifetimeContract(name, make);
  traitsContract(name, make);
  racesContract(name, make);
  rotationContract(name, make);
  retentionContract(name, make);
  provisionalContract(name, make);
  dataContract(name, make);
  erasureContract(name, make);
}

/** Registers the part of `storeContract` that is enough for a second way to connect to the same engine. */
export function basicContract(name: string, make: DataFactory): void {
  creationContract(name, make);
  associationContract(name, make);
  recordsContract(name, make);
}
