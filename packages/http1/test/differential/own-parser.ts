import type { HttpRequest, HttpResponse } from "../../src/http-types.ts";
import { createServer } from "../../src/server.ts";
import type { Transport } from "../../src/transport.ts";
import { comparedFields, type Reading, type ReadRequest, settled } from "./reading.ts";

const MAX_BODY = 1024 * 1024;

/** A connection whose responses are dropped. `peer` is its key in `readings`. */
class Sink implements Transport {
  readonly peer: string;
  readonly bufferedBytes = 0;

  constructor(peer: string) {
    this.peer = peer;
  }
  write(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

/** Reads each stream with the server of this package, as the bytes of one connection. */
export async function readingsOf(streams: readonly string[]): Promise<Reading[]> {
  const readings = new Map<string, Reading>();

  async function handle(request: HttpRequest): Promise<HttpResponse> {
    const { method, path, query, peer } = request;
    const reading = readings.get(peer);
    const fields: Record<string, string> = {};
    for (const name of comparedFields) {
      const value = request.header(name);
      if (value !== null) fields[name] = value;
    }
    const one: ReadRequest = { method, path, query, fields, body: null };
    reading?.requests.push(one);
    try {
      one.body = Buffer.from((await request.body(MAX_BODY)) ?? "").toString("latin1");
    } catch (error) {
      if (reading !== undefined) reading.rejection ??= String(error);
    }
    return { status: 200, headers: {}, body: null };
  }

  const server = createServer(handle, {
    onDefect(error) {
      throw error;
    },
    reject({ peer, detail, status }) {
      const reading = readings.get(peer);
      if (reading !== undefined) reading.rejection ??= detail;
      return { status, headers: {}, body: null };
    },
  });
  for (const [i, stream] of streams.entries()) {
    readings.set(String(i), { requests: [], rejection: undefined });
    server.connect(new Sink(String(i))).received(Buffer.from(stream, "latin1"));
  }
  await settled();
  const results = structuredClone([...readings.values()]);
  server.close();
  return results;
}
