import type { OwnAct } from "../control/operations.ts";
import { audited } from "../services/audit.ts";
import { CliError, exitCodes } from "./exit-codes.ts";

/** Writes an entry to the audit trail of a store. */
export type AuditWriter = (act: OwnAct) => Promise<void>;

/**
 * Runs an operation in this process. Writes an entry to the audit trail before the operation, and another one with the
 * result. If the first entry cannot be written, the operation does not start. `isDone` returns false if the result is a
 * failure.
 */
export async function withAudit<Result>(
  write: AuditWriter,
  act: Pick<OwnAct, "what" | "details">,
  operation: () => Promise<Result>,
  detailsOf: (result: Result) => OwnAct["details"],
  isDone?: (result: Result) => boolean,
): Promise<Result> {
  await write({ ...act, outcome: "begun" });
  return audited(writeOutcome, act, operation, detailsOf, isDone);

  async function writeOutcome(event: typeof act, outcome: OwnAct["outcome"]): Promise<void> {
    try {
      await write({ ...event, outcome });
    } catch {
      const message = `it is ${outcome}, but the entry about it could not be written into the audit trail`;
      throw new CliError(exitCodes.failure, message);
    }
  }
}
