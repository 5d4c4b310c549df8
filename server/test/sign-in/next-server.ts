import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { GET } from "../../../examples/sign-in/next/app/api/me/route.ts";
import { POST as signIn } from "../../../examples/sign-in/next/app/api/sign-in/route.ts";
import { POST as signOut } from "../../../examples/sign-in/next/app/api/sign-out/route.ts";
import { POST as signOutEverywhere } from "../../../examples/sign-in/next/app/api/sign-out-everywhere/route.ts";
import { withSession } from "../../../examples/sign-in/next/lib/shop.ts";

/* Serves the route handlers for Next.js without Next.js: it calls them with a `Request`, as Next.js does. */

const handlers: Readonly<Record<string, (request: Request) => Promise<Response>>> = {
  "GET /api/me": GET,
  "POST /api/sign-in": signIn,
  "POST /api/sign-out": signOut,
  "POST /api/sign-out-everywhere": signOutEverywhere,
};

async function respond(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { method = "", url: path = "/" } = incoming;
  const chunks = (await incoming.toArray()) as Uint8Array[];
  const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]);
  const body = method === "GET" ? null : Buffer.concat(chunks);
  const handler = handlers[`${method} ${path}`];
  const request = new Request(`http://${incoming.headers.host}${path}`, { method, headers, body });
  const response = (await handler?.(request)) ?? new Response(null, { status: 404 });
  outgoing.writeHead(response.status, [...response.headers].flat());
  outgoing.end(await response.text());
}

const server = createServer((incoming, outgoing) => void respond(incoming, outgoing));
server.listen(Number(process.env["PORT"]), "127.0.0.1");
process.on("SIGTERM", () => server.close(() => void withSession.close()));
