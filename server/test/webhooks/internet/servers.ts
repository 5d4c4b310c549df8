import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { type Answer, startNameServer } from "./name-server.ts";

/*
 * The servers of a private internet (`private-internet.ts`): a name server, and receivers on the ports 80 and 443 of
 * every address. They run inside of its namespace, and speak with the test in lines of JSON. The arguments are the
 * address of the name server, and the files of a certificate and its key.
 */

/** A line to the servers. The reply to each has its `id`. */
export type Order =
  | { readonly id: number; readonly names: Readonly<Record<string, readonly Answer[]>> }
  | { readonly id: number; readonly redirect: { readonly host: string; readonly location: string } }
  | { readonly id: number; readonly fence: true };

/** A line from the servers. */
export type Report =
  | { readonly done: number }
  | { readonly asked: string }
  /** A connection to a receiver: the address and port that the client has chosen. */
  | { readonly connected: string };

const [nameServerAddress = "", certificate = "", key = ""] = process.argv.slice(2);

function report(line: Report): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** The locations to which hosts redirect. */
const redirects = new Map<string, string>();
/** The address of our own connections, which are not reported. */
const FENCE = "127.0.0.77";
/** Functions to call when the next of them arrives, by port. */
const fences = new Map<number, () => void>();

const receive: RequestListener = (request, response) => {
  request.resume();
  const location = redirects.get(request.headers.host ?? "");
  if (location === undefined) response.writeHead(204).end();
  else response.writeHead(307, { location }).end();
};

function accepted({ localAddress = "", localPort = 0, remoteAddress }: Socket): void {
  if (plain(remoteAddress) === FENCE) fences.get(localPort)?.();
  else report({ connected: `${plain(localAddress)} ${localPort}` });
}

/** Returns an address without the prefix of an IPv4 address on a socket of both families. */
function plain(address = ""): string {
  return address.replace(/^::ffff:/, "");
}

/** Resolves when each connection that was made before has been reported: a listener accepts them in their order. */
async function passFence(port: number): Promise<void> {
  const passed = new Promise<void>((resolve) => fences.set(port, resolve));
  const socket = connect({ port, host: "127.0.0.1", localAddress: FENCE });
  socket.on("error", () => undefined);
  await passed;
  socket.destroy();
}

async function listen(server: Server, port: number): Promise<void> {
  server.on("connection", accepted);
  await new Promise<void>((resolve) => server.listen(port, "::", resolve));
}

const names = await startNameServer(nameServerAddress, (asked) => report({ asked }));
await listen(createServer(receive), 80);
await listen(createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }, receive), 443);
report({ done: 0 });

async function follow(order: Order): Promise<void> {
  if ("fence" in order) await Promise.all([passFence(80), passFence(443)]);
  else if ("redirect" in order) redirects.set(order.redirect.host, order.redirect.location);
  else for (const [name, answers] of Object.entries(order.names)) names.set(name, answers);
  report({ done: order.id });
}

for await (const line of createInterface(process.stdin)) await follow(JSON.parse(line) as Order);
// The listeners would keep the process alive.
process.exit();
