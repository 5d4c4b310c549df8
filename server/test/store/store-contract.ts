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
