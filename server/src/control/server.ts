import { chmodSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { safeMessage } from "../logging/safe-error.ts";
import { Refusal } from "../session/errors.ts";
import { OPERATOR_HEADER } from "./client.ts";
import { type Admin, callOperation, isOperation } from "./operations.ts";
import { claimSocketPath, releaseSocketPath } from "./path.ts";

/*
 * The control socket, through which the command line reaches a running server. Changes must go through the server,
 * because its caches must agree with the store.
 *
 *   POST /<operation>, parameters as JSON  ->  200 { "result": … }
 *                                          or  400, 500, 503 { "error": { "message", "reason" } }
 *
 * Only the user who runs the server can open the socket. This user can read the data anyway, so the socket needs no
 * further credentials. The operator's name for the audit trail is the name that the command line sends.
 */

const MAX_REQUEST_BYTES = 64 * 1024;
/** Maximum time (ms) that closing waits for requests in progress. */
const CLOSE_TIMEOUT_MS = 2000;

/** A control socket on which this process listens. */
export interface Control {
  readonly path: string;
  /** Waits for the requests in progress and removes the socket. */
  close(): Promise<void>;
}

/** Returns the operations for an operator. `user` is the name that the operator gives, or `null` without one. */
export type AdminFor = (user: string | null) => Admin;

/**
 * Serves the operations on the control socket of `dataDir`. Call this only while the store is open: the process that
 * holds the store's lock may replace a socket that a killed server left.
 */
export async function listenControl(dataDir: string, adminFor: AdminFor): Promise<Control> {
  const path = claimSocketPath(dataDir);
  const server = createServer((request, response) => {
    void respond(adminFor, request, response);
  });
  server.requestTimeout = 10_000;
  await listen(server, path);
  const inode = inodeOf(path);
  return {
    path,
    async close() {
      if (inodeOf(path) !== inode) {
        // The data folder was moved, and another server may listen on this path now. Closing this server would remove
        // the other server's socket.
        server.closeAllConnections();
        server.unref();
        return;
      }
      await close(server);
      releaseSocketPath(dataDir);
    },
  };
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", resolve);
    // `listen` creates the socket file. With this umask, no other user can open it, not even for a moment.
    const before = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(before);
    }
  }).then(() => chmodSync(path, 0o600));
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}

async function respond(adminFor: AdminFor, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, body } = await outcomeOf(adminFor, request).catch(failed);
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify(body));
}

interface Outcome {
  readonly status: number;
  readonly body: unknown;
}

async function outcomeOf(adminFor: AdminFor, request: IncomingMessage): Promise<Outcome> {
  const name = request.url?.slice(1) ?? "";
  if (request.method !== "POST" || !isOperation(name)) {
    throw new TypeError(`there is no operation ${request.method} ${request.url}`);
  }
  const admin = adminFor(userOf(request));
  const params: unknown = JSON.parse((await bodyOf(request)) || "null");
  return { status: 200, body: { result: await callOperation(admin, name, params) } };
}

const MAX_USER_LENGTH = 256;

/** Returns the operator's name. Throws `URIError` if it is not percent-encoded. */
function userOf({ headers }: IncomingMessage): string | null {
  const user = headers[OPERATOR_HEADER];
  return typeof user === "string" ? decodeURIComponent(user.slice(0, MAX_USER_LENGTH)) : null;
}

function failed(error: unknown): Outcome {
  if (error instanceof Refusal) {
    return { status: 503, body: { error: { message: safeMessage(error.cause ?? error), reason: error.reason } } };
  }
  const message = safeMessage(error);
  const isInvalid = [TypeError, SyntaxError, URIError].some((kind) => error instanceof kind);
  return { status: isInvalid ? 400 : 500, body: { error: { message } } };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) throw new TypeError("the request is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
