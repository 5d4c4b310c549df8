import type { z } from "zod";
import type { Clock } from "../runtime/clock.ts";
import type { AuditTrail, Initiator } from "../services/audit.ts";
import type { CredentialAdmin } from "../services/credentials.ts";
import type { CustomerAdmin } from "../services/customers.ts";
import type { SessionAdmin } from "../services/session-admin.ts";
import type { Statistics } from "../services/statistics.ts";
import type { WebhookAdmin } from "../services/webhook-admin.ts";
import type { EventLog } from "../store/ports/events.ts";
import type { TransferStore } from "../store/ports/transfer.ts";

/** The parts that the operations work with. If a server runs, they are the parts of that server. */
export interface OperatorParts {
  readonly sessionAdmin: SessionAdmin;
  readonly customers: CustomerAdmin;
  readonly credentials: CredentialAdmin;
  readonly webhooks: WebhookAdmin;
  readonly statistics: Statistics;
  readonly trail: Pick<AuditTrail, "append" | "lastSequence" | "readEntries">;
  readonly logHash: (id: string) => string;
  readonly store: Pick<TransferStore, "exportPage"> & EventLog;
  readonly clock: Clock;
}

export interface Operation<Params, Result> {
  readonly params: z.ZodType<Params>;
  readonly result: z.ZodType<Result>;
  readonly run: (use: OperatorParts, by: Initiator, params: Params) => Result | Promise<Result>;
}

export function define<Params, Result>(
  params: z.ZodType<Params>,
  result: z.ZodType<Result>,
  run: Operation<Params, Result>["run"],
): Operation<Params, Result> {
  return { params, result, run };
}
