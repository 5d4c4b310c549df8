import { hash } from "node:crypto";

/*
 * The rules of session data (contract.md#data). Data are kept and changed as JSON text, because that is how they arrive,
 * are stored and leave.
 */

/** Maximum size of a session's data: UTF-8 bytes of JSON, without spaces. */
export const MAX_DATA_BYTES = 16 * 1024;
/** Maximum number of objects and arrays within each other, the whole object included. */
const MAX_DATA_LEVELS = 32;
/** The data of a session that has never had any. */
export const NO_DATA = "{}";

/** A change of a session's data. */
export interface DataChange {
  /** `merge` applies a merge patch (RFC 7396), `replace` replaces all data. */
  readonly kind: "merge" | "replace";
  /** The patch, or the new data: a JSON object that `readData` has returned. */
  readonly json: string;
}

/** A list of entity tags, without the weak ones; `*` for any data. */
export type Tags = readonly string[] | "*";

/** The conditions on the present data under which a request is carried out (RFC 9110, section 13.1). */
export interface Preconditions {
  /** Tags of which the present data must have one (`If-Match`). */
  readonly ifMatch?: Tags;
  /** Tags of which the present data must have none (`If-None-Match`). */
  readonly ifNoneMatch?: Tags;
}

/** The result of a change that was asked for. */
export type ChangedData =
  /** `json` is to be stored. It may be equal to the present data. */
  | { readonly outcome: "changed"; readonly json: string }
  | { readonly outcome: "precondition-failed" }
  /** The data would have more than `MAX_DATA_BYTES`. */
  | { readonly outcome: "too-large" };

/** Applies a change to the present data `json`. */
export function changeData(json: string, change: DataChange, preconditions: Preconditions): ChangedData {
  if (!meets(json, preconditions)) return { outcome: "precondition-failed" };
  const next = change.kind === "replace" ? change.json : merged(json, change.json);
  // A number may take more space than it had in the request: 1e20 becomes 100000000000000000000.
  return Buffer.byteLength(next) > MAX_DATA_BYTES ? { outcome: "too-large" } : { outcome: "changed", json: next };
}

/** Returns whether the present data `json` meet the preconditions. A session always has data, if only an empty object. */
export function meets(json: string, { ifMatch, ifNoneMatch }: Preconditions): boolean {
  return (ifMatch === undefined || isTagged(json, ifMatch)) && !(ifNoneMatch && isTagged(json, ifNoneMatch));
}

/** Returns whether the tag of the data `json` is one of these. */
export function isTagged(json: string, tags: Tags): boolean {
  return tags === "*" || tags.includes(tagOfData(json));
}

/** The characters of a tag: 128 bits in base64url. */
const TAG_CHARACTERS = 22;

/**
 * Returns the entity tag of data, without quotes. The same text has the same tag, also in another store and after a change
 * back. So a tag needs no space and no counter that could be lost.
 */
export function tagOfData(json: string): string {
  return hash("sha256", json, "base64url").slice(0, TAG_CHARACTERS);
}

function merged(json: string, patch: string): string {
  return JSON.stringify(mergeInto(JSON.parse(json) as JsonObject, JSON.parse(patch) as JsonObject));
}

type JsonObject = Record<string, unknown>;

/** Applies a merge patch (RFC 7396, section 2) to `target`, and returns it. */
function mergeInto(target: JsonObject, patch: JsonObject): JsonObject {
  for (const name of Object.keys(patch)) {
    const value = patch[name];
    if (value === null) delete target[name];
    else if (!isObject(value)) setMember(target, name, value);
    else {
      const before = Object.hasOwn(target, name) ? target[name] : undefined;
      setMember(target, name, mergeInto(isObject(before) ? before : {}, value));
    }
  }
  return target;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Sets a member. `__proto__` is a name like any other; an assignment would set the prototype. */
function setMember(target: JsonObject, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  } else target[name] = value;
}

/** A fault of data, and the place of the value or member in them: a JSON pointer (RFC 6901), "" for the whole. */
export interface DataFault {
  readonly place: string;
  readonly detail: string;
}

/** The result of reading data: the text without spaces, with numbers and strings in their shortest form, or its faults. */
export type DataText = { readonly json: string } | { readonly faults: readonly DataFault[] };

/** A well-formed JSON text, and its value. */
export interface ParsedText {
  readonly text: string;
  readonly value: unknown;
}

/** Reads data. */
export function readData({ text, value }: ParsedText): DataText {
  const json = JSON.stringify(value);
  // A text that is the same after it was read and written again repeats no name, and has no number that would change.
  const isPlain = json === text && !text.includes("\\ud") && isObject(value) && hasFewLevels(value, MAX_DATA_LEVELS);
  const faults = isPlain ? [] : faultsOfData(text);
  return faults.length === 0 ? { json } : { faults };
}

/** Returns whether a value has at most `levels` objects and arrays within each other. */
function hasFewLevels(value: object, levels: number): boolean {
  if (levels === 0) return false;
  for (const inner of Object.values(value) as unknown[]) {
    if (typeof inner === "object" && inner !== null && !hasFewLevels(inner, levels - 1)) return false;
  }
  return true;
}

/** Maximum number of faults that are reported. */
const MAX_FAULTS = 8;
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;

/** An open object or array. */
interface Level {
  /** The names of the members so far; `undefined` in an array. */
  readonly names: Set<string> | undefined;
  /** The name of the current member, or the position of the current item. */
  key: string | number;
  /** Whether the next string is the name of a member. */
  expectsName: boolean;
}

/**
 * Returns the faults of data in a well-formed JSON text. Programs in several languages share the data, so whatever some
 * of them read in another way is refused (RFC 7493): repeated names, numbers that a double does not have exactly enough
 * to be written the same way again, and half surrogate pairs. The whole must be an object of at most `MAX_DATA_LEVELS`.
 */
function faultsOfData(text: string): DataFault[] {
  const faults: DataFault[] = [];
  const levels: Level[] = [];
  const report = (detail: string) => faults.push({ place: pointerTo(levels), detail });
  for (const [token] of text.matchAll(TOKENS)) {
    const level = levels.at(-1);
    if (level === undefined && token !== "{") {
      report("The data must be a JSON object.");
      break;
    }
    if (token === "{" || token === "[") {
      if (levels.length === MAX_DATA_LEVELS) {
        report(`There are more than ${MAX_DATA_LEVELS} objects and arrays within each other.`);
        break;
      }
      levels.push({ names: token === "{" ? new Set() : undefined, key: 0, expectsName: token === "{" });
    } else if (token === "}" || token === "]") levels.pop();
    else if (level !== undefined) readToken(level, token, report);
    if (faults.length === MAX_FAULTS || levels.length === 0) break;
  }
  return faults;
}

function readToken(level: Level, token: string, report: (detail: string) => void): void {
  const { names } = level;
  const first = token[0] as string;
  if (first === ",") {
    level.expectsName = names !== undefined;
    if (typeof level.key === "number") level.key++;
  } else if (first === '"') {
    const text = token.includes("\\") ? (JSON.parse(token) as string) : token.slice(1, -1);
    if (names !== undefined && level.expectsName) {
      level.key = text;
      level.expectsName = false;
      if (names.has(text)) report("The object has two members of this name.");
      names.add(text);
    }
    if (!text.isWellFormed()) report("There is half a surrogate pair in the text, which is no Unicode character.");
  } else if ((first === "-" || (first >= "0" && first <= "9")) && !survives(token)) {
    report("The number has more digits, or is larger or smaller, than a double has: send it as a string.");
  }
}

/** Returns whether a JSON number has the same value after it was read as a double and written again. */
function survives(number: string): boolean {
  // Every number of up to 15 digits does, if its exponent is usual.
  if (number.length <= 15 && !/e/i.test(number)) return true;
  const value = Number(number);
  return Number.isFinite(value) && decimalOf(number) === decimalOf(JSON.stringify(value));
}

/** Returns the value of a JSON number in a form that only equal values share: digits without zeros at the ends, exponent. */
function decimalOf(number: string): string {
  const [, whole = "", part = "", exponent = "0"] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? [];
  const digits = `${whole}${part}`.replace(/^0+/, "");
  // A regular expression would try each zero of a long number as the first of those at the end.
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  const significant = digits.slice(0, end);
  if (significant === "") return "0";
  return `${significant}e${BigInt(exponent) - BigInt(part.length) + BigInt(digits.length - significant.length)}`;
}

/** Returns the pointer to the current place, at most some hundred characters long. */
function pointerTo(levels: readonly Level[]): string {
  const parts = levels.map(({ key }) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`);
  return parts.join("").slice(0, 256).toWellFormed();
}
