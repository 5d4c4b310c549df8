import type { NoteRequest } from "../control/oversight.ts";
import { CliError, exitCodes } from "./exit-codes.ts";

/** Writes an entry into the audit trail of a store. */
export type AuditWriter = (request: NoteRequest) => Promise<void>;

/** The result of an operation, for the audit trail. */
export interface AuditResult extends Pick<NoteRequest, "details"> {
  readonly outcome: "done" | "failed";
}

/**
 * Runs an operation of this process, with an entry in the audit trail before it and one with its result. If the
 * first entry cannot be written, the operation is not started.
 */
export async function withAudit<Result>(
  note: AuditWriter,
  act: Pick<NoteRequest, "what" | "details">,
  operation: () => Promise<Result>,
  resultOf: (result: Result) => AuditResult,
): Promise<Result> {
  await note({ ...act, outcome: "begun" });
  let result: Awaited<ReturnType<typeof operation>>;
  try {
    result = await operation();
  } catch (error) {
    // The error of the operation matters more than one of the entry.
    await note({ ...act, outcome: "failed" }).catch(() => undefined);
    throw error;
  }
  const { outcome, details } = resultOf(result);
  try {
    await note({ ...act, outcome, details: { ...act.details, ...details } });
  } catch {
    const message = `it is ${outcome}, but the entry about it could not be written into the audit trail`;
    throw new CliError(exitCodes.failure, message);
  }
  return result;
}
