import { CommanderError } from "commander";
import { ConfigError, masked } from "../config/faults.ts";
import { ControlError } from "../control/client.ts";
import { describeError, safeMessage } from "../logging/safe-error.ts";
import { Refusal } from "../session/errors.ts";
import { StoreOpenError } from "../store/open-error.ts";
import { resultCode } from "../store/sqlite/file-errors.ts";

/** What the exit status of every command means. */
export const exitCodes = {
  ok: 0,
  /** It could not be done; the message says why. */
  failure: 1,
  /** The command line or the configuration has a fault. */
  usage: 2,
  /** There is nothing of that name or id. */
  notFound: 3,
  /** The data cannot be used: locked by another process, missing, unreadable, of a newer release. */
  dataUnavailable: 4,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An end that the user is to read about: `message` whole, without a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** How a command that threw `error` ends; `message` is empty when everything has been said. */
export function exitOf(error: unknown): { readonly exitCode: ExitCode; readonly message: string } {
  if (error instanceof CommanderError) {
    // Commander has printed it; --help and --version end this way too.
    return { exitCode: error.exitCode === 0 ? exitCodes.ok : exitCodes.usage, message: "" };
  }
  if (error instanceof CliError) return { exitCode: error.exitCode, message: error.message };
  if (error instanceof ConfigError) return { exitCode: exitCodes.usage, message: error.message };
  if (error instanceof StoreOpenError) {
    return { exitCode: exitCodes.dataUnavailable, message: error.message };
  }
  if (error instanceof Refusal) {
    const { cause } = error;
    if (cause instanceof StoreOpenError) return exitOf(cause);
    return { exitCode: exitCodes.failure, message: ofRefusal(error) };
  }
  if (resultCode(error) !== 0)
    return { exitCode: exitCodes.dataUnavailable, message: ofSqlite(error) };
  return { exitCode: exitCodes.failure, message: masked(ofOther(error)) };
}

function ofRefusal({ reason, cause }: Refusal): string {
  if (reason.code !== "unavailable") return `refused: ${reason.code}`;
  const end =
    reason.outcome === "unknown"
      ? "whether it was stored nobody knows: look before you repeat it"
      : "nothing was changed; repeat it later";
  const why = cause === undefined ? "is the disk full?" : safeMessage(cause);
  return `the store does not take changes now (${why}); ${end}`;
}

/** The message for an error of SQLite, without its own text, which may quote the data. */
function ofSqlite(error: unknown): string {
  return `the data cannot be read or written (SQLite reports ${resultCode(error)}): check it with "antechamber doctor"`;
}

function ofOther(error: unknown): string {
  const { type, message, stack = "" } = describeError(error);
  // What the system or the server refused is the user's to mend; anything else is a defect of ours,
  // and whoever reports it needs the stack.
  const isExplained = error instanceof ControlError || (error instanceof Error && "code" in error);
  return isExplained ? message : `${type}: ${message}\n${stack}`.trimEnd();
}
