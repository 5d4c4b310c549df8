import { CommanderError } from "commander";
import { ConfigError, masked } from "../config/faults.ts";
import { ControlError } from "../control/client.ts";
import { describeError, safeMessage } from "../logging/safe-error.ts";
import { Refusal } from "../session/errors.ts";
import { StoreOpenError } from "../store/open-error.ts";
import { resultCode } from "../store/sqlite/files/file-errors.ts";

/** The exit statuses of all commands. */
export const exitCodes = {
  ok: 0,
  /** The command failed; the message says why. */
  failure: 1,
  /** The command line or the configuration has a fault. */
  usage: 2,
  /** No object has the given name or id. */
  notFound: 3,
  /** The data cannot be used: locked by another process, missing, unreadable, or written by a newer release. */
  dataUnavailable: 4,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An error that is printed for the user without a stack trace. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Returns the exit status and message for an error that ended a command; "" if the message was already printed. */
export function exitOf(error: unknown): { readonly exitCode: ExitCode; readonly message: string } {
  if (error instanceof CommanderError) {
    // Commander has printed the message already. --help and --version also end a command with this error.
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
  if (resultCode(error) !== 0) return { exitCode: exitCodes.dataUnavailable, message: ofSqlite(error) };
  return { exitCode: exitCodes.failure, message: masked(ofOther(error)) };
}

function ofRefusal({ reason, cause }: Refusal): string {
  if (reason.code !== "unavailable") return `refused: ${reason.code}`;
  const end =
    reason.outcome === "unknown"
      ? "the outcome is unknown: check before you repeat the command"
      : "nothing was changed: repeat the command later";
  return `the store does not accept changes now (${safeMessage(cause)}); ${end}`;
}

/** Returns the message for an error of SQLite. It leaves out SQLite's own text, which may quote the data. */
function ofSqlite(error: unknown): string {
  return `the data cannot be read or written (SQLite reports ${resultCode(error)}): check it with "antechamber doctor"`;
}

function ofOther(error: unknown): string {
  const { type, message, stack = "" } = describeError(error);
  // Errors of the system and of the server can be corrected by the user. Any other error is a defect, so the stack is
  // printed for a bug report.
  const isExplained = error instanceof ControlError || (error instanceof Error && "code" in error);
  return isExplained ? message : `${type}: ${message}\n${stack}`.trimEnd();
}
