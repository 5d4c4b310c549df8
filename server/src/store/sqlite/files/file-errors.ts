import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { StoreOpenError } from "../../open-error.ts";

/*
 * Error texts that say what is wrong with a file and what to do. SQLite's own texts are never shown: they do not name
 * the file, they call every problem with a folder "unable to open database file", and they quote the content of a
 * damaged file.
 */

/** SQLite's primary result codes for the problems that have an error text here. */
const ERROR = 1;
export const BUSY = 5;
const NOMEM = 7;
export const READONLY = 8;
export const IOERR = 10;
const CORRUPT = 11;
export const FULL = 13;
export const CANTOPEN = 14;
const NOTADB = 26;

/** Returns SQLite's primary result code; 0 for any other error. */
export function resultCode(error: unknown): number {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
}

/** Returns true if SQLite reports a problem of the disk or the file, not of a single statement. */
export function isDiskError(error: unknown): boolean {
  return [BUSY, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN].includes(resultCode(error));
}

/**
 * Returns a `StoreOpenError` that explains to the operator what is wrong with `file`. Returns `error` unchanged if it
 * comes neither from SQLite nor from the file system.
 */
export function explained(error: unknown, file: string): unknown {
  if (error instanceof StoreOpenError || !(error instanceof Error)) return error;
  const code = resultCode(error);
  if (code !== 0) return new StoreOpenError(faultOf(code), textOf(code, file), error);
  const { code: systemCode } = error as NodeJS.ErrnoException;
  const text = systemCode === undefined ? undefined : systemText(systemCode, file);
  return text === undefined ? error : new StoreOpenError("inaccessible", text, error);
}

/** Calls `work`, which uses `file`. Throws an error of `work` as `explained` returns it. */
export function explaining<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explained(error, file);
  }
}

/**
 * Throws if `file` exists but cannot be read or, with `forWriting`, written. SQLite would open such a file anyway, and
 * create files beside it that the next start cannot use either.
 */
export function requireAccess(file: string, forWriting: boolean): void {
  const wanted = forWriting ? constants.R_OK | constants.W_OK : constants.R_OK;
  try {
    accessSync(file, wanted);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw explained(error, file);
  }
}

function faultOf(code: number): "damaged" | "inaccessible" {
  return [ERROR, CORRUPT, NOTADB].includes(code) ? "damaged" : "inaccessible";
}

function textOf(code: number, file: string): string {
  switch (code) {
    case ERROR:
    case CORRUPT:
    case NOTADB:
      return `${damageText(code, file)}. Keep a copy of the folder, check it with "antechamber doctor --data-dir ${dirname(file)}", and restore the latest backup.`;
    case BUSY:
      return `${file} is in use by another program. Stop it, and try again.`;
    case IOERR:
      return `The disk reports errors for ${file}. Check the system's log, and keep a copy of the folder.`;
    case FULL:
      return `The disk of ${dirname(file)} is full. Make room on it.`;
    case READONLY:
    case CANTOPEN:
      return accessText(file);
    default:
      return `${file} cannot be used (SQLite reports ${code}).`;
  }
}

/** Describes the damage of a file, without advice; returns `undefined` if the error means no damage. */
export function damageOf(error: unknown, file: string): string | undefined {
  const code = resultCode(error);
  return code !== 0 && faultOf(code) === "damaged" ? damageText(code, file) : undefined;
}

function damageText(code: number, file: string): string {
  return code === NOTADB ? `${file} is not a database, or its beginning is damaged` : `${file} is damaged`;
}

function systemText(code: string, file: string): string | undefined {
  switch (code) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return accessText(file);
    case "EEXIST":
      return `${file} is a file, but must be a folder. Choose another path.`;
    case "ENOENT":
    case "ENOTDIR":
      return `${file} cannot be used: a part of the path is missing or is not a folder.`;
    case "EISDIR":
      return `${file} is a folder, but must be a file. Remove it.`;
    case "ENOSPC":
    case "EDQUOT":
      return `The disk of ${dirname(file)} is full. Make room on it.`;
    case "EIO":
      return textOf(IOERR, file);
    default:
      return undefined;
  }
}

/** Returns a text that says which permission is missing, on the file itself or on a folder above it. */
function accessText(file: string): string {
  for (const folder of foldersOf(file)) {
    const code = failureOf(folder, constants.X_OK);
    if (code === "ENOENT") return systemText("ENOENT", file) as string;
    if (code !== undefined) return `${user()} may not enter the folder ${folder}. ${runAs(folder)}`;
  }
  const reading = failureOf(file, constants.R_OK);
  if (reading === "ENOENT") return folderText(dirname(file));
  if (reading !== undefined) return `${user()} may not read ${file}. ${runAs(file)}`;
  if (statSync(file).isDirectory()) return systemText("EISDIR", file) as string;
  const writing = failureOf(file, constants.W_OK);
  if (writing === "EROFS") return readOnlyText(file);
  if (writing !== undefined) {
    return `${user()} may not write to ${file}. ${runAs(file)}`;
  }
  return folderText(dirname(file));
}

function folderText(folder: string): string {
  const code = failureOf(folder, constants.W_OK);
  if (code === "EROFS") return readOnlyText(folder);
  if (code === undefined) return `The files in ${folder} cannot be opened.`;
  return `${user()} may not create files in ${folder}. ${runAs(folder)}`;
}

function readOnlyText(path: string): string {
  return `${path} is on a file system that is mounted read-only. Mount it for writing, or copy the folder to another place.`;
}

/** Returns the folders from the root down to the folder of the file. */
function foldersOf(file: string): string[] {
  const folders: string[] = [];
  for (let at = dirname(file); folders[0] !== at; at = dirname(at)) folders.unshift(at);
  return folders;
}

function failureOf(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

function user(): string {
  return process.getuid === undefined ? "This user" : `The user with the id ${process.getuid()}`;
}

function runAs(path: string): string {
  const owner = statSync(path, { throwIfNoEntry: false })?.uid;
  const isOther = owner !== undefined && owner !== process.getuid?.();
  return isOther ? `Run this as its owner (id ${owner}).` : `Run: chmod u+rwX ${path}`;
}
