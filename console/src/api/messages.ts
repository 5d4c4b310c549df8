import type { ProblemError } from "@antechamber/client/administration";

/** Messages for failures about which the console can say more than the API does. */
const messages: Partial<Record<ProblemError["code"], string>> = {
  network: "The service does not respond. Check your connection; this page tries again by itself.",
  timeout: "The service did not respond in time. Try again, or narrow the filters.",
  "role-not-permitted": "Your role does not permit this. Ask an administrator.",
  "unexpected-answer": "The response is not from Antechamber. A proxy in front of it may be misconfigured.",
};

/** Returns a sentence about a failed call, to show on the page. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return "Something failed for an unknown reason.";
  const { code, problem, message } = error as Partial<ProblemError> & Error;
  const faults = problem?.errors?.map(({ name, detail }) => `${name}: ${detail}`).join(" ");
  return faults || (code && messages[code]) || problem?.detail || message;
}

/** Returns whether a call failed only because the page was left. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
