import { request } from "node:http";
import { type Reason, Refusal } from "../session/errors.ts";
import type { Admin } from "./admin.ts";
import { socketPath } from "./path.ts";

/** How long the server may take for an answer, in milliseconds. */
const TIMEOUT = 30_000;

/** What the server answered, when it did not do what it was asked. */
export class ControlError extends Error {
  override readonly name = "ControlError";
}

/** The header that tells who asks, percent-encoded. */
export const OPERATOR_HEADER = "operator";

/**
 * The `Admin` of the server that runs on `dataDir`, or `undefined` when none runs there: no socket,
 * or one that a killed server left. Its methods reject with `Refusal` `unavailable` when the store
 * cannot take the change, and with `ControlError` for anything else. `user` is who acts, for the trail.
 */
export async function connectControl(
  dataDir: string,
  user: string | null = null,
): Promise<Admin | undefined> {
  const path = socketPath(dataDir);
  if (path === undefined) return undefined;
  const call = <Result>(operation: keyof Admin, argument?: unknown) =>
    callControl({ path, user, operation, argument }) as Promise<Result>;
  const admin: Admin = {
    listKeys: () => call("listKeys"),
    createKey: (asked) => call("createKey", asked),
    revokeKey: (id) => call("revokeKey", id),
    rotateKey: (asked) => call("rotateKey", asked),
    getSession: (id) => call("getSession", id),
    endSession: (id) => call("endSession", id),
    listSessions: (asked) => call("listSessions", asked),
    endSessions: (asked) => call("endSessions", asked),
    exportCustomer: (asked) => call("exportCustomer", asked),
    eraseCustomer: (id) => call("eraseCustomer", id),
    auditTrail: (asked) => call("auditTrail", asked),
    noteAct: (asked) => call("noteAct", asked),
    hashOf: (id) => call("hashOf", id),
    rotateSecret: () => call("rotateSecret"),
    exportPage: (after) => call("exportPage", after),
  };
  return (await isListening(path)) ? admin : undefined;
}

/** What the server is asked, on the socket at `path`. */
interface Asked {
  readonly path: string;
  readonly user: string | null;
  readonly operation: string;
  readonly argument: unknown;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function post({ path, user, operation, argument }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { socketPath: path, path: `/${operation}`, method: "POST", agent: false };
    const who = user === null ? {} : { [OPERATOR_HEADER]: encodeURIComponent(user) };
    const sent = request({ ...options, headers: { host: "control", ...who } }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.setTimeout(TIMEOUT, () => {
      sent.destroy(new ControlError(`the server did not answer within ${TIMEOUT / 1000} s`));
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(argument ?? null));
  });
}

async function callControl(asked: Asked): Promise<unknown> {
  const { status, text } = await post(asked);
  const { result, error } = JSON.parse(text) as {
    readonly result?: unknown;
    readonly error?: { readonly message: string; readonly reason?: Reason };
  };
  if (status === 200) return result;
  if (error?.reason !== undefined) throw new Refusal(error.reason);
  throw new ControlError(`the server could not do it: ${error?.message ?? `status ${status}`}`);
}

/** Whether somebody answers: a socket whose server was killed refuses every connection. */
async function isListening(path: string): Promise<boolean> {
  try {
    await post({ path, user: null, operation: "", argument: null });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTSOCK") return false;
    throw Object.assign(error as Error, { path });
  }
}
