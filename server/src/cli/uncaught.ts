import { destination } from "pino";
import { createLog } from "../logging/log.ts";
import { exitCodes } from "./exit-codes.ts";

type Report = (error: unknown) => void;

let report: Report | undefined;

/**
 * Makes uncaught errors end the process with the status `failure`, after they were reported with `next`. Without this,
 * the runtime would print every property of the error, including secrets.
 */
export function onUncaught(next: Report): void {
  if (report === undefined) process.on("uncaughtException", end).on("unhandledRejection", end);
  report = next;
}

function end(error: unknown): void {
  report?.(error);
  process.exit(exitCodes.failure);
}

/** Logs an uncaught error of a server. It writes synchronously, because the process ends immediately afterwards. */
export function logUncaught(error: unknown): void {
  createLog("info", destination({ dest: 2, sync: true })).fatal({ err: error }, "uncaught error");
}
