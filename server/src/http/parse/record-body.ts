import { MAX_RECORD_BYTES, MAX_RECORDS } from "@antechamber/client/protocol";
import type { Fault } from "../../session/errors.ts";
import { isMethod, isPath, type RequestRecord, recordedPath } from "../../session/record.ts";
import { faultOfText } from "../../session/text.ts";
import { isEmptyArray, memberOf, parseJson, refuseFaults } from "./bodies.ts";
import { hasMoreValues } from "./json-values.ts";
import { parseTime } from "./time.ts";

/** The maximum length of a body in bytes: that of an array of `MAX_RECORDS` records of `MAX_RECORD_BYTES` each. */
export const MAX_RECORDS_BODY_BYTES = MAX_RECORDS * (MAX_RECORD_BYTES + 1) + 2;

/**
 * The maximum number of values in a body. A record has at most 24; there is room for members that are ignored. Other bodies
 * are too short to need such a limit.
 */
const MAX_VALUES = 64 * MAX_RECORDS;

/** The longest name of a service, and of an attribute, in Unicode characters. */
const MAX_SERVICE = 256;
const MAX_ATTRIBUTE_NAME = 128;
const MAX_ATTRIBUTES = 16;
const MAX_DURATION_MS = 1e12;
/** The maximum number of faults that are collected: if every record is wrong, the first few faults show why. */
const MAX_FAULTS = 20;

/**
 * Returns the records in a body, which is one record or an array of up to 1,000. A missing value becomes `null`, and a
 * missing start time becomes `now`. Refuses with `invalid-request`, which names the record and the member of each
 * fault.
 */
export function recordsOf(body: Uint8Array, now: number, queryKeys: ReadonlySet<string>): RequestRecord[] {
  if (hasMoreValues(body, MAX_VALUES)) {
    const detail = `The body has more than ${MAX_VALUES} values; send fewer records in one request.`;
    refuseFaults([{ in: "body", name: "", detail }]);
  }
  const faults: Fault[] = [];
  const parsed = parseJson(body, faults);
  const isList = Array.isArray(parsed);
  const values: unknown[] = isList ? parsed : [parsed];
  if (values.length > MAX_RECORDS) {
    const detail = `There are ${values.length} records; send at most ${MAX_RECORDS} in one request.`;
    faults.push({ in: "body", name: "", detail });
  }
  const records: RequestRecord[] = [];
  for (const [i, value] of values.entries()) {
    if (faults.length > 0 && (parsed === undefined || faults.length >= MAX_FAULTS)) break;
    const reader = new MemberReader(value, isList ? `[${i}]` : "", faults);
    if (!reader.isObject) continue;
    const record = readRecord(reader, now, queryKeys);
    if (isTooLong(record)) reader.fault("", `is longer than ${MAX_RECORD_BYTES} bytes`);
    records.push(record);
  }
  refuseFaults(faults);
  return records;
}

function readRecord(reader: MemberReader, now: number, queryKeys: ReadonlySet<string>): RequestRecord {
  return {
    method: reader.method(),
    path: recordedPath(reader.path(), queryKeys),
    status: reader.status(),
    startedAt: reader.time() ?? now,
    durationMs: reader.duration(),
    service: reader.service(),
    attributes: reader.attributes(),
  };
}

/** Reads the members of one record and collects their faults. */
class MemberReader {
  /** False if the record is not an object. Then its members must not be read. */
  readonly isObject: boolean;
  readonly #record: object;
  readonly #place: string;
  readonly #faults: Fault[];

  constructor(value: unknown, place: string, faults: Fault[]) {
    this.#place = place;
    this.#faults = faults;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    this.isObject = isObject;
    this.#record = isObject ? value : {};
    if (!isObject) this.fault("", "is not a JSON object");
  }

  method(): string {
    const value = memberOf(this.#record, "method");
    if (typeof value === "string" && isMethod(value)) return value;
    this.fault("method", "is not an HTTP method");
    return "";
  }

  path(): string {
    const value = memberOf(this.#record, "path");
    if (typeof value === "string" && isPath(value)) return value;
    this.fault("path", "is not a path that begins with /");
    return "";
  }

  status(): number | null {
    const value = memberOf(this.#record, "status");
    if (value === null) return null;
    if (Number.isInteger(value) && isBetween(value, 100, 599)) return value;
    this.fault("status", "is not a whole number of 100 to 599");
    return null;
  }

  time(): number | null {
    const value = memberOf(this.#record, "startedAt");
    if (value === null) return null;
    const time = parseTime(value);
    if (time !== undefined) return time;
    this.fault("startedAt", "is neither an ISO 8601 time with a zone nor milliseconds since 1970");
    return null;
  }

  duration(): number | null {
    const value = memberOf(this.#record, "durationMs");
    if (value === null) return null;
    // The duration is rounded to microseconds.
    if (isBetween(value, 0, MAX_DURATION_MS)) return Math.round(value * 1000) / 1000;
    this.fault("durationMs", "is not a number of milliseconds");
    return null;
  }

  service(): string | null {
    const value = memberOf(this.#record, "service");
    if (value === null || value === "") return null;
    if (typeof value === "string" && faultOfText(value, MAX_SERVICE) === undefined) return value;
    this.fault("service", `is not a text of up to ${MAX_SERVICE} characters, without controls`);
    return null;
  }

  attributes(): Readonly<Record<string, string>> {
    const value = memberOf(this.#record, "attributes");
    if (value === null || isEmptyArray(value)) return {};
    const entries = typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : [];
    if (typeof value !== "object" || Array.isArray(value) || entries.length > MAX_ATTRIBUTES) {
      this.fault("attributes", `is not a map of up to ${MAX_ATTRIBUTES} strings`);
      return {};
    }
    for (const [name, text] of entries) {
      if (typeof text !== "string" || !text.isWellFormed()) {
        this.fault(`attributes.${name.slice(0, 32)}`, "is not a string");
      } else if (faultOfText(name, MAX_ATTRIBUTE_NAME) !== undefined) {
        this.fault("attributes", `has a name of over ${MAX_ATTRIBUTE_NAME} characters, or controls`);
      }
    }
    return value as Readonly<Record<string, string>>;
  }

  fault(member: string, detail: string): void {
    const name = [this.#place, member].filter((part) => part !== "").join(".");
    const subject = name === "" ? "The record" : name;
    this.#faults.push({ in: "body", name, detail: `${subject} ${detail}.` });
  }
}

function isBetween(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && value >= least && value <= most;
}

/** An upper bound of the bytes that a record has in addition to its texts: member names, numbers and punctuation. */
const FRAME_BYTES = 512;

/** Returns whether a record is too long. Serializes it only if necessary: a character takes at most six bytes. */
function isTooLong(record: RequestRecord): boolean {
  const { path, service, attributes } = record;
  let characters = path.length + (service?.length ?? 0);
  for (const name in attributes) characters += name.length + (attributes[name]?.length ?? 0);
  if (characters * 6 + FRAME_BYTES <= MAX_RECORD_BYTES) return false;
  return Buffer.byteLength(JSON.stringify(record)) > MAX_RECORD_BYTES;
}
