import { chmodSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { safeMessage } from "../logging/safe-error.ts";
import { Refusal } from "../session/errors.ts";
import type { Admin, KeyRequest, KeyRotation } from "./admin.ts";
import { OPERATOR_HEADER } from "./client.ts";
import type {
  AuditRequest,
  EndingRequest,
  ExportRequest,
  NoteRequest,
  PageRequest,
} from "./oversight.ts";
import { claimSocketPath, releaseSocketPath } from "./path.ts";

/*
 * The control socket: how the command line reaches a running server, whose caches must stay in step
 * with the store. `POST /<operation>` with the operation's argument as JSON is answered with
 * `{ "result": … }` or `{ "error": { "message", "reason" } }`. Whoever may open the socket may do
 * everything, as whoever may open the data may: both belong to the server's user alone. So who they are
 * for the trail is what they say themselves.
 */

/** The operations, by their names in `Admin`. */
const operations: Readonly<
  Record<keyof Admin, (admin: Admin, argument: unknown) => Promise<unknown>>
> = {
  listKeys: (admin) => admin.listKeys(),
  createKey: (admin, request) => admin.createKey(request as KeyRequest),
  revokeKey: (admin, id) => admin.revokeKey(String(id)),
  rotateKey: (admin, request) => admin.rotateKey(request as KeyRotation),
  getSession: (admin, id) => admin.getSession(String(id)),
  endSession: (admin, id) => admin.endSession(String(id)),
  listSessions: (admin, request) => admin.listSessions(request as PageRequest),
  endSessions: (admin, request) => admin.endSessions(request as EndingRequest),
  exportCustomer: (admin, request) => admin.exportCustomer(request as ExportRequest),
  eraseCustomer: (admin, id) => admin.eraseCustomer(String(id)),
  auditTrail: (admin, request) => admin.auditTrail(request as AuditRequest),
  noteAct: (admin, request) => admin.noteAct(request as NoteRequest),
  hashOf: (admin, id) => admin.hashOf(String(id)),
  rotateSecret: (admin) => admin.rotateSecret(),
  exportPage: (admin, after) => admin.exportPage(typeof after === "string" ? after : null),
};

const MAX_REQUEST_BYTES = 64 * 1024;
/** How long a closing socket waits for what it is doing, in milliseconds. */
const CLOSE_TIMEOUT = 2000;

/** A control socket that listens. */
export interface Control {
  readonly path: string;
  /** Finishes the requests at hand and removes the socket. */
  close(): Promise<void>;
}

/** What whoever asks may do; `user`: who they say that they are. */
export type AdminFor = (user: string | null) => Admin;

/**
 * Offers what `adminFor` gives on the control socket of `dataDir`. Call it after the store is open: holding its
 * lock is what gives the right to take the place of a socket that a killed server left.
 */
export async function listenControl(dataDir: string, adminFor: AdminFor): Promise<Control> {
  const path = claimSocketPath(dataDir);
  const server = createServer((request, response) => {
    void answer(adminFor, request, response);
  });
  server.requestTimeout = 10_000;
  await listen(server, path);
  const inode = inodeOf(path);
  return {
    path,
    async close() {
      if (inodeOf(path) !== inode) {
        // The folder was moved away, and another server may listen there now: closing would remove its socket.
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
    // The socket is made within listen(): nobody else may open it, not for a moment.
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
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}

async function answer(
  adminFor: AdminFor,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, body } = await outcomeOf(adminFor, request);
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify(body));
}

async function outcomeOf(
  adminFor: AdminFor,
  request: IncomingMessage,
): Promise<{ status: number; body: unknown }> {
  try {
    const name = request.url?.slice(1) ?? "";
    if (request.method !== "POST" || !Object.hasOwn(operations, name)) {
      throw new TypeError(`there is no operation ${request.method} ${request.url}`);
    }
    const admin = adminFor(userOf(request));
    const argument = JSON.parse((await bodyOf(request)) || "null") as unknown;
    return {
      status: 200,
      body: { result: await operations[name as keyof Admin](admin, argument) },
    };
  } catch (error) {
    return faultOf(error);
  }
}

const MAX_USER_LENGTH = 256;

/** Throws `URIError` for what is no percent-encoding. */
function userOf({ headers }: IncomingMessage): string | null {
  const user = headers[OPERATOR_HEADER];
  return typeof user === "string" ? decodeURIComponent(user.slice(0, MAX_USER_LENGTH)) : null;
}

function faultOf(error: unknown): { status: number; body: unknown } {
  const message = safeMessage(error);
  if (error instanceof Refusal) {
    return { status: 503, body: { error: { message, reason: error.reason } } };
  }
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
