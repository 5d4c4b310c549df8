import { associationContract } from "./contract/sessions-association.ts";
import { auditContract } from "./contract/audit.ts";
import { creationContract } from "./contract/sessions-creation.ts";
import { erasingContract } from "./contract/erasure.ts";
import { findingContract } from "./contract/search.ts";
import { housekeepingContract } from "./contract/lifecycle.ts";
import { lifeContract } from "./contract/sessions-lifetime.ts";
import { movingContract } from "./contract/transfer.ts";
import { racesContract } from "./contract/sessions-races.ts";
import { recordsContract } from "./contract/records.ts";
import { repetitionContract } from "./contract/idempotency.ts";
import { retentionContract } from "./contract/records-retention.ts";
import type { DataFactory } from "./contract/world.ts";

/**
 * Runs the tests of every port of `src/store/ports`. Each engine runs all of them on real storage, which `make`
 * creates empty for each test; the tests set the time.
 */
export function storeContract(name: string, make: DataFactory): void {
  creationContract(name, make);
  associationContract(name, make);
  lifeContract(name, make);
  racesContract(name, make);
  recordsContract(name, make);
  retentionContract(name, make);
  repetitionContract(name, make);
  housekeepingContract(name, make);
  movingContract(name, make);
  findingContract(name, make);
  erasingContract(name, make);
  auditContract(name, make);
}
