import { associationContract } from "./contract/association.ts";
import { auditContract } from "./contract/audit.ts";
import { creationContract } from "./contract/creation.ts";
import { erasingContract } from "./contract/erasing.ts";
import { findingContract } from "./contract/finding.ts";
import { housekeepingContract } from "./contract/housekeeping.ts";
import { lifeContract } from "./contract/life.ts";
import { movingContract } from "./contract/moving.ts";
import { racesContract } from "./contract/races.ts";
import { recordsContract } from "./contract/records.ts";
import { repetitionContract } from "./contract/repetition.ts";
import { retentionContract } from "./contract/retention.ts";
import type { DataFactory } from "./contract/world.ts";

/**
 * The promises of `src/store/ports/engine.ts` as tests. Every engine registers all of them over the real
 * thing, with `make` giving an empty place for data each time; time is in the hand of the tests.
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
