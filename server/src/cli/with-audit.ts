import type { NoteRequest } from "../control/oversight.ts";
import { CliError, exitCodes } from "./exit-codes.ts";

/** Enters something into the audit trail of a store. */
export type AuditWriter = (request: NoteRequest) => Promise<void>;

/** How work went that came to an end. */
export interface AuditResult extends Pick<NoteRequest, "details"> {
  readonly outcome: "done" | "failed";
}

/**
 * Carries out what this process does by itself, with an entry in the trail before and one that tells how
 * it went. Where the first cannot be made nothing is begun.
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
    // What went wrong is told; that it cannot be noted as well is no news.
    await note({ ...act, outcome: "failed" }).catch(() => undefined);
    throw error;
  }
  const { outcome, details } = resultOf(result);
  try {
    await note({ ...act, outcome, details: { ...act.details, ...details } });
  } catch {
    const message = `it is ${outcome}, but the audit trail does not take the entry that says so`;
    throw new CliError(exitCodes.failure, message);
  }
  return result;
}
