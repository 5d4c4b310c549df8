import { exitCodes } from "./exit.ts";

type Report = (error: unknown) => void;

let report: Report | undefined;

/**
 * From now on an error that nobody caught is reported by `next`, and ends the process with the status
 * `failure`. The runtime itself would print every member of it.
 */
export function onUncaught(next: Report): void {
  if (report === undefined) process.on("uncaughtException", end).on("unhandledRejection", end);
  report = next;
}

function end(error: unknown): void {
  report?.(error);
  process.exit(exitCodes.failure);
}
