import { destination } from "pino";
import { createLog } from "../log.ts";
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

/** A defect of a server is logged like everything else. */
export function logUncaught(error: unknown): void {
  createLog("info", destination({ dest: 2, sync: true })).fatal({ err: error }, "uncaught error");
}
