import { isIPv4 } from "node:net";

/** The messages of the Domain Name System (RFC 1035, section 4), as far as a name server of tests needs them. */

/** The types of records, by the number of the protocol. */
export const recordTypes = { A: 1, CNAME: 5, AAAA: 28 } as const;

/** The codes of responses. */
export const responseCodes = { ok: 0, serverFailure: 2, noSuchName: 3 } as const;

/** The longest message (bytes) that a client accepts by UDP without an extension. */
export const MAX_UDP_BYTES = 512;

const HEADER_BYTES = 12;
const IS_RESPONSE = 0x8480;
const IS_TRUNCATED = 0x0200;
const IS_RECURSIVE = 0x0100;
const CLASS_INTERNET = 1;

/** The question of a query. `end` is the offset of the byte after it. */
export interface Question {
  /** Lower case, without the dot at the end. */
  readonly name: string;
  readonly type: number;
  readonly end: number;
}

/** An address or, for a `CNAME`, a name. */
export interface DnsRecord {
  readonly owner: string;
  readonly type: number;
  readonly value: string;
}

export interface DnsResponse {
  readonly code: number;
  readonly records: readonly DnsRecord[];
  /** The response is incomplete; the client asks again by TCP. */
  readonly isTruncated: boolean;
}

/** Reads the only question of a query. */
export function readQuestion(query: Buffer): Question {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** Returns the message that responds to a query. */
export function responseTo(query: Buffer, { code, records, isTruncated }: DnsResponse): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  const truncated = isTruncated ? IS_TRUNCATED : 0;
  header.writeUInt16BE(IS_RESPONSE | truncated | (query.readUInt16BE(2) & IS_RECURSIVE) | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const question = query.subarray(HEADER_BYTES, readQuestion(query).end);
  return Buffer.concat([header, question, ...records.map(recordBytes)]);
}

/** Returns a record that may not be stored: its time to live is 0. */
function recordBytes({ owner, type, value }: DnsRecord): Buffer {
  const data = type === recordTypes.CNAME ? nameBytes(value) : addressBytes(value);
  const fields = Buffer.alloc(10);
  fields.writeUInt16BE(type, 0);
  fields.writeUInt16BE(CLASS_INTERNET, 2);
  fields.writeUInt16BE(data.length, 8);
  return Buffer.concat([nameBytes(owner), fields, data]);
}

function nameBytes(name: string): Buffer {
  const labels = name.split(".").map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, "latin1"));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  // The URL parser writes an address in its shortest form, in which only `::` is left to expand.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groupsOf = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groupsOf(head), groupsOf(tail ?? "")];
  const groups = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  const bytes = Buffer.alloc(16);
  for (const [i, group] of groups.entries()) bytes.writeUInt16BE(group, 2 * i);
  return bytes;
}
