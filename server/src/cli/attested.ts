import type { NoteRequest } from "../control/oversight.ts";
import { CliError, exitCodes } from "./exit.ts";

/** Enters something into the audit trail of a store. */
export type Note = (request: NoteRequest) => Promise<void>;

/** How work went that came to an end. */
export interface Ending extends Pick<NoteRequest, "details"> {
  readonly outcome: "done" | "failed";
}

/**
 * Carries out what this process does by itself, with an entry in the trail before and one that tells how
 * it went. Where the first cannot be made nothing is begun.
 */
export async function attested<Result>(
  note: Note,
  act: Pick<NoteRequest, "what" | "details">,
  carryOut: () => Promise<Result>,
  endingOf: (result: Result) => Ending,
): Promise<Result> {
  await note({ ...act, outcome: "begun" });
  let result: Awaited<ReturnType<typeof carryOut>>;
  try {
    result = await carryOut();
  } catch (error) {
    // What went wrong is told; that it cannot be noted as well is no news.
    await note({ ...act, outcome: "failed" }).catch(() => undefined);
    throw error;
  }
  const { outcome, details } = endingOf(result);
  try {
    await note({ ...act, outcome, details: { ...act.details, ...details } });
  } catch {
    const message = `it is ${outcome}, but the audit trail does not take the entry that says so`;
    throw new CliError(exitCodes.failure, message);
  }
  return result;
}
