// runs: outside

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { caddy } from "../../proxies/caddy.ts";
import { nginx } from "../../proxies/nginx.ts";
import { type Edit, startProxy } from "../../proxies/proxy-process.ts";
import { createApi, sessionOf } from "../../support/api.ts";
import { until } from "../../support/eventually.ts";
import { malformed } from "../../support/malformed-requests.ts";
import { sendRaw } from "../../support/raw-http.ts";
import { type ServerProcess, startServer } from "../../support/server-process.ts";

/*
 * Request smuggling: if a proxy and the server disagree about where a request ends, its last bytes become the beginning
 * of another client's request, since the proxy reuses connections. test/faults/ tests malformed requests without a proxy.
 */

/** A server with a proxy in front of it. */
interface Pair extends AsyncDisposable {
  readonly server: ServerProcess;
  /** Address of the proxy. */
  readonly url: string;
}

const nginxToTheApi: Edit = (text) =>
  text.replace(
    /location \/ \{[\s\S]*?\n {4}\}\n/,
    `location / {
        proxy_pass http://antechamber;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host 127.0.0.1;
        proxy_next_upstream off;
    }
`,
  );

const caddyToTheApi: Edit = () => `http://:8000 {
	bind 127.0.0.1
	reverse_proxy 127.0.0.1:8080 {
		header_up Host 127.0.0.1
	}
}
`;

/** The proxies, each in front of one runtime: both runtimes have the same HTTP server, and their own fuzz tests. */
const pairs = [
  { runtime: "bun", program: nginx, edit: nginxToTheApi },
  { runtime: "node", program: caddy, edit: caddyToTheApi },
] as const;

async function startPair({ runtime, program, edit }: (typeof pairs)[number]): Promise<Pair> {
  await using started = new AsyncDisposableStack();
  const env = { ANTECHAMBER_ACCESS_LOG: "all" };
  const server = started.use(await startServer({ runtime, env }));
  const port = Number(new URL(server.url).port);
  const proxy = started.use(await startProxy(program, { antechamber: port, application: port }, edit));
  const all = started.move();
  return {
    server,
    url: `http://127.0.0.1:${proxy.port}`,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** The smuggled request. No other client sends one like it, so it can be recognized in the log. */
const hidden = "DELETE /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: smuggled\r\n\r\n";
const head = "PUT /sessions/new HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const chunks = `0\r\n\r\n${hidden}`;

const ambiguous: Readonly<Record<string, string>> = {
  "a length and chunks": `${head}Content-Length: ${chunks.length}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
  "chunks and a length": `${head}Transfer-Encoding: chunked\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a short length and chunks": `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(hidden)}0\r\n\r\n`,
  "two lengths": `${head}Content-Length: ${hidden.length}\r\nContent-Length: 0\r\n\r\n${hidden}`,
  "two lengths in one": `${head}Content-Length: 0, ${hidden.length}\r\n\r\n${hidden}`,
  "a length with a sign": `${head}Content-Length: +${hidden.length}\r\n\r\n${hidden}`,
  "a length in hexadecimal": `${head}Content-Length: 0x${hidden.length.toString(16)}\r\n\r\n${hidden}`,
  "a length after a space": `${head}Content-Length : ${hidden.length}\r\n\r\n${hidden}`,
  "a coding after a space": `${head}Transfer-Encoding : chunked\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a coding after a tab": `${head}Transfer-Encoding:\tchunked\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a coding after a vertical tab": `${head}Transfer-Encoding: \x0bchunked\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a coding in quotes": `${head}Transfer-Encoding: "chunked"\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "an unknown coding": `${head}Transfer-Encoding: xchunked\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "two codings": `${head}Transfer-Encoding: chunked, identity\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a coding twice": `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a folded coding": `${head}Transfer-Encoding:\r\n chunked\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a coding after a line feed": `${head}X: y\nTransfer-Encoding: chunked\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a coding in another header": `${head}X: y\rTransfer-Encoding: chunked\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a name with an underscore": `${head}Content_Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  "HTTP/1.0 with chunks": `${head.replace("HTTP/1.1", "HTTP/1.0")}Transfer-Encoding: chunked\r\nContent-Length: ${chunks.length}\r\n\r\n${chunks}`,
  "a chunk's size with a sign": `${head}Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n${hidden}`,
  "a chunk's size beyond 64 bits": `${head}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n${hidden}`,
  "a chunk's extension with a line feed": `${head}Transfer-Encoding: chunked\r\n\r\n2;x\n{}\r\n0\r\n\r\n${hidden}`,
  "a trailer with a length": `${head}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n`,
  "a body on a GET": `GET /sessions/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  "chunks on a GET": `GET /sessions/x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(hidden)}0\r\n\r\n`,
  "a body on a HEAD": `HEAD /sessions/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  "a wish to upgrade": `GET /sessions/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  "a length that Connection names": `${head}Connection: Content-Length\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  "an expectation": `${head}Expect: 100-continue\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
};

/** Sends bytes to the proxy; returns the statuses of the responses and what the server logged. */
async function outcome({ server, url }: Pair, bytes: string, timeoutMs = 150) {
  const before = server.stderr().length;
  const { received } = await sendRaw(url, [bytes], { timeoutMs });
  // The next clients share the proxy's connections to the server, and must get their own responses.
  for (let i = 0; i < 3; i++) {
    const id = randomUUID();
    const headers = { "gkc-customerId": "next", "x-request-id": id };
    assert.equal(sessionOf(await createApi(url).create({ headers })).customerId, "next");
    // The log has all earlier requests when it has this one.
    await until("the log has the request", () => server.stderr().includes(id));
  }
  // A status line can directly follow a body, without a line break.
  const answers = [...received.matchAll(/HTTP\/1\.[01] (\d{3}) /g)];
  return {
    statuses: answers.map(([, status]) => Number(status)),
    log: server.stderr().slice(before),
  };
}

/** Statuses of a proxy that refuses a request, or could not pass on its invalid body (Caddy). */
const ofProxy = [501, 502, 505];

function assertNoDefect(what: string, statuses: readonly number[]): void {
  const defects = statuses.filter((status) => status >= 500 && !ofProxy.includes(status));
  assert.deepEqual(defects, [], what);
}

for (const pair of pairs) {
  const { example } = pair.program;
  test(`behind ${example} a request with an ambiguous end smuggles no other request (${pair.runtime})`, async () => {
    await using started = await startPair(pair);
    for (const [what, bytes] of Object.entries(ambiguous)) {
      // If the proxy also took the last bytes for a request of this client, the client got a second response: no smuggling.
      const isSmuggled = ({ statuses, log }: Awaited<ReturnType<typeof outcome>>) =>
        log.includes('"method":"DELETE"') && statuses.length < 2;
      const first = await outcome(started, bytes);
      // On a busy machine the second response may come later.
      const { statuses, log } = isSmuggled(first) ? await outcome(started, bytes, 20_000) : first;
      const smuggled = isSmuggled({ statuses, log });
      assert.ok(!smuggled, `${what}: ${statuses.join()}\n${log}`);
      assertNoDefect(what, statuses);
    }
  });

  test(`behind ${example} malformed requests do not affect other clients (${pair.runtime})`, async () => {
    await using started = await startPair(pair);
    await Promise.all(
      Object.entries(malformed).map(async ([what, bytes]) => {
        assertNoDefect(what, (await outcome(started, bytes)).statuses);
      }),
    );
  });
}
