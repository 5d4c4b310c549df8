/*
 * Decides which parts of an error may be logged and printed. Libraries put their input into their errors: a Redis
 * client the arguments of a command (ids, secrets), a JSON parser the text that it could not parse, a runtime a URL
 * with a password. So only the members below are passed on, and the parts of the message that may come from outside are
 * removed.
 */

/** The parts of an error that appear in a log line. */
export interface LoggedError {
  readonly type: string;
  readonly code?: string | number;
  /** SQLite's result code. */
  readonly errcode?: number;
  readonly syscall?: string;
  readonly message: string;
  /** The stack, one line per frame, without the message. */
  readonly stack?: string;
  readonly cause?: LoggedError;
  /** The errors that an aggregate error contains, at most `MAX_ERRORS`. */
  readonly errors?: readonly LoggedError[];
}

/** Maximum depth to which causes are followed, because causes can be circular. */
const MAX_DEPTH = 5;
const MAX_ERRORS = 8;
const MAX_FRAMES = 20;
const MAX_MESSAGE_LENGTH = 500;

/** Names of errors whose messages contain only text of this program. */
const ours = [
  "StoreOpenError",
  "StoreFault",
  "DisplacedError",
  "CliError",
  "ConfigError",
  "ControlError",
  "TargetTaken",
  "RedisFault",
];

const NAME = /^[A-Za-z_$][\w$]{0,63}$/;
const CODE = /^[A-Z][A-Z\d_-]{0,63}$/;
/** An error code of the operating system. */
const ERRNO = /^E(?!RR)[A-Z\d]+$/;
const SYSCALL = /^[a-z]\w{0,31}$/;
const FRAME = /^\s*at .*(?::\d+:\d+\)?|\(native\)|<anonymous>\)?|native code\)?)$/;

/** Describes an error, or any other thrown value, for a log line. */
export function describeError(error: unknown): LoggedError {
  return described(error, 0);
}

/** Returns the message of an error, without anything secret. */
export function safeMessage(error: unknown): string {
  return described(error, MAX_DEPTH).message;
}

function described(error: unknown, depth: number): LoggedError {
  try {
    if (isErrorLike(error)) return ofError(error, depth);
  } catch {
    // Reading a member of the error threw another error.
    return { type: "unknown", message: "an error that cannot be read" };
  }
  return { type: typeof error, message: "a value was thrown that is not an error" };
}

interface ErrorLike {
  readonly [name: string]: unknown;
  readonly message: string;
}

function isErrorLike(error: unknown): error is ErrorLike {
  if (typeof error !== "object" || error === null) return false;
  return error instanceof Error || typeof (error as { message?: unknown }).message === "string";
}

function ofError(error: ErrorLike, depth: number): LoggedError {
  const { code, errcode, syscall } = error;
  const stack = depth < MAX_DEPTH ? framesOf(error) : "";
  const isDeep = depth + 1 >= MAX_DEPTH;
  const cause = error["cause"] ?? error["lastNodeError"];
  const several = error["errors"] ?? error["previousErrors"];
  return {
    type: typeOf(error),
    ...(isCode(code) && { code }),
    ...(typeof errcode === "number" && { errcode }),
    ...(typeof syscall === "string" && SYSCALL.test(syscall) && { syscall }),
    message: messageOf(error),
    ...(stack !== "" && { stack }),
    ...(!isDeep && cause !== undefined && cause !== null && { cause: described(cause, depth + 1) }),
    ...(!isDeep &&
      Array.isArray(several) &&
      several.length > 0 && {
        errors: several.slice(0, MAX_ERRORS).map((one) => described(one, depth + 1)),
      }),
  };
}

function typeOf(error: ErrorLike): string {
  const names = [error.constructor?.name, error["name"]];
  return names.find((name): name is string => typeof name === "string" && NAME.test(name)) ?? "Error";
}

function isCode(code: unknown): code is string | number {
  return typeof code === "number" || (typeof code === "string" && CODE.test(code));
}

function messageOf(error: ErrorLike): string {
  const message = typeof error.message === "string" ? error.message : "";
  // SQLite's messages quote statements and data. The text of the result code is fixed, so it is safe.
  if (typeof error["errcode"] === "number" || error["code"] === "ERR_SQLITE_ERROR") {
    const text = error["errstr"];
    return typeof text === "string" && text !== "" ? text : cleaned(message);
  }
  if (error instanceof Error && ours.includes(error.name)) return message;
  if (error instanceof Error && isOfSystem(error)) return ofSystem(message);
  return cleaned(message);
}

function isOfSystem({ code, syscall }: ErrorLike): boolean {
  return typeof syscall === "string" || (typeof code === "string" && ERRNO.test(code));
}

/** Returns the message of the operating system, including the file or address, but without credentials. */
function ofSystem(message: string): string {
  return withoutCredentials(message).slice(0, MAX_MESSAGE_LENGTH);
}

const GAP = "…";

/** The pairs of characters that enclose quoted text in messages. */
const enclosing = ['""', "``", "''", "{}", "[]"] as const;

/**
 * Returns `text` without what is in quotes, braces and brackets, without credentials in URLs, and without any word as
 * long as an id, a key or a secret.
 */
function cleaned(text: string): string {
  // Replaces apostrophes, which must not be mistaken for opening quotes.
  const start = withoutCredentials(text.slice(0, 4 * MAX_MESSAGE_LENGTH)).replaceAll(
    /(?<=[a-z])'(?=(?:t|s|re|ll|ve|d|m)\b)/gi,
    "\u2019",
  );
  const isWhole = text.length <= 4 * MAX_MESSAGE_LENGTH;
  return enclosing
    .reduce<string>((rest, signs) => withoutBetween(rest, signs, isWhole), start)
    .replaceAll(/(?<![\w-])(?:ak_|eyJ)[\w.-]+/g, GAP)
    .replaceAll(/[\w+/=-]{20,}/g, (word) => (isPlainWord(word) ? word : GAP))
    .replaceAll(/\s+/g, " ")
    .slice(0, MAX_MESSAGE_LENGTH);
}

/**
 * Removes the text between the first opening and the last closing character; a quoted text may itself contain quotes.
 * Removes everything after the opening character if there is no closing one, or if the closing one may have been cut
 * off.
 */
function withoutBetween(text: string, signs: string, isWhole: boolean): string {
  const [open = "", close = ""] = signs;
  const first = text.indexOf(open);
  if (first === -1) return text;
  const last = text.lastIndexOf(close);
  const isPaired = isWhole && (open !== close || text.split(open).length % 2 === 1);
  const rest = isPaired && last > first ? `${close}${text.slice(last + 1)}` : "";
  return `${text.slice(0, first)}${open}${GAP}${rest}`;
}

/**
 * Returns whether a long word is ordinary language or a name in a program, such as a setting: each of its parts is
 * short and has letters of one case.
 */
function isPlainWord(word: string): boolean {
  return word.split(/[/_-]/).every((part) => part.length < 20 && /^[A-Z]?[a-z]*$|^[A-Z]*$/.test(part));
}

function withoutCredentials(text: string): string {
  return text.replaceAll(/([a-z][a-z\d+.-]{0,30}:\/\/)[^\s]*@/gi, `$1${GAP}@`);
}

/** Returns the frames of the stack, without the message before them. */
function framesOf(error: ErrorLike): string {
  const { stack } = error;
  if (typeof stack !== "string") return "";
  const start = error.message === "" ? -1 : stack.indexOf(error.message);
  const lines = (start === -1 ? stack : stack.slice(start + error.message.length)).split("\n");
  // The message may have been changed after the error was created, so it cannot be found in the stack with certainty.
  // The frames are the lines after the last line that is not a frame.
  const firstAfterText = lines.findLastIndex((line) => line !== "" && !FRAME.test(line)) + 1;
  return lines
    .slice(firstAfterText)
    .filter((line) => line !== "")
    .slice(0, MAX_FRAMES)
    .map((line) => line.trim())
    .join("\n");
}
