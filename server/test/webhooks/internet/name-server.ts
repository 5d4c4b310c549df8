import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIPv4 } from "node:net";
import {
  type DnsRecord,
  type DnsResponse,
  MAX_UDP_BYTES,
  readQuestion,
  recordTypes,
  responseCodes,
  responseTo,
} from "./dns-message.ts";

/**
 * An answer to one look-up of a name: addresses of both families (none: the name exists without an
 * address), another name, a failure, or nothing. `afterMs` delays an answer.
 */
export type Answer =
  | { readonly addresses: readonly string[]; readonly afterMs?: number }
  | { readonly alias: string }
  | { readonly failure: "noSuchName" | "serverFailure" }
  | "silence";

/** A name server of one machine, by UDP and TCP on port 53. */
export interface NameServer {
  /** Sets the answers to the look-ups of a name from now on, in turn. The last one stays. */
  set(name: string, answers: readonly Answer[]): void;
}

/** Starts a name server on an address. `asked` is called for each query. Unknown names do not exist. */
export async function startNameServer(address: string, asked: (name: string) => void): Promise<NameServer> {
  const zone = new Map<string, readonly Answer[]>();
  /** The number of queries for a name and type since its answers were set. */
  const queries = new Map<string, number>();

  function recordsOf(owner: string, type: number, answer: Answer | undefined): DnsRecord[] {
    if (answer === undefined || answer === "silence" || "failure" in answer) return [];
    if ("alias" in answer) {
      const alias = { owner, type: recordTypes.CNAME, value: answer.alias };
      return [alias, ...recordsOf(answer.alias, type, zone.get(answer.alias)?.[0])];
    }
    const isAsked = (one: string) => type === (isIPv4(one) ? recordTypes.A : recordTypes.AAAA);
    return answer.addresses.filter(isAsked).map((value) => ({ owner, type, value }));
  }

  function respond(query: Buffer, maxBytes: number, send: (response: Buffer) => void): void {
    const { name, type } = readQuestion(query);
    asked(name);
    const turn = queries.get(`${name} ${type}`) ?? 0;
    const answers = zone.get(name);
    const answer = answers?.[Math.min(turn, answers.length - 1)];
    if (answer === "silence") return;
    const failure = answer === undefined ? "noSuchName" : "failure" in answer ? answer.failure : "ok";
    const response: DnsResponse = {
      code: responseCodes[failure],
      records: recordsOf(name, type, answer),
      isTruncated: false,
    };
    const whole = responseTo(query, response);
    const isTruncated = whole.length > maxBytes;
    // The client asks again by TCP, and this is still the same look-up.
    if (!isTruncated) queries.set(`${name} ${type}`, turn + 1);
    const message = isTruncated ? responseTo(query, { ...response, records: [], isTruncated }) : whole;
    const afterMs = answer !== undefined && "afterMs" in answer ? answer.afterMs : 0;
    setTimeout(() => send(message), afterMs);
  }

  const udp = createSocket("udp4", (query, { port, address: client }) => {
    respond(query, MAX_UDP_BYTES, (response) => udp.send(response, port, client));
  });
  udp.bind(53, address);
  const tcp = createServer((socket) => {
    socket.on("error", () => undefined);
    const send = (response: Buffer) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(response.length);
      socket.write(Buffer.concat([length, response]));
    };
    let received = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      // The queries for both families may come together.
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE()) {
        const end = 2 + received.readUInt16BE();
        respond(received.subarray(2, end), 0xffff, send);
        received = received.subarray(end);
      }
    });
  });
  tcp.listen(53, address);
  await Promise.all([once(udp, "listening"), once(tcp, "listening")]);
  return {
    set(name, answers) {
      zone.set(name, answers);
      for (const type of Object.values(recordTypes)) queries.delete(`${name} ${type}`);
    },
  };
}
