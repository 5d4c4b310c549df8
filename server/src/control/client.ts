import { request } from "node:http";
import { z } from "zod";
import { Refusal } from "../session/errors.ts";
import { type Admin, adminOver, operations } from "./operations.ts";
import { socketPath } from "./path.ts";
import { failure } from "./schemas.ts";

/** Maximum time (ms) to wait for the response of the server. */
const TIMEOUT_MS = 30_000;

/** An operation that the server did not carry out; the message is the reason that the server gave. */
export class ControlError extends Error {
  override readonly name = "ControlError";
}

/** The header with the operator's name, percent-encoded. */
export const OPERATOR_HEADER = "operator";

/**
 * Returns the operations of the server that runs on `dataDir`. Returns `undefined` if no server runs there: the socket
 * does not exist, or a killed server left it behind. The operations reject with `Refusal` `unavailable` when the store
 * cannot carry out the change, and with `ControlError` for any other failure. `user` is the operator's name for the
 * audit trail.
 */
export async function connectControl(dataDir: string, user: string | null = null): Promise<Admin | undefined> {
  const path = socketPath(dataDir);
  if (path === undefined || !(await isListening(path))) return undefined;
  return adminOver(async (name, params) => {
    const { status, text } = await post({ path, user, operation: name, params });
    if (status !== 200) throw errorOf(status, text);
    const { result } = success.parse(JSON.parse(text));
    const parsed = operations[name].result.safeParse(result);
    if (parsed.success) return parsed.data;
    const message =
      "the server's response is unknown to this release: restart the server, or use the release that it runs";
    throw new ControlError(message);
  });
}

const success = z.object({ result: z.unknown().optional() });

function errorOf(status: number, text: string): Error {
  const { message = `status ${status}`, reason } = failure.safeParse(JSON.parse(text)).data?.error ?? {};
  if (reason !== undefined) return new Refusal(reason, new ControlError(message));
  return new ControlError(`the server could not do it: ${message}`);
}

interface ControlRequest {
  readonly path: string;
  readonly user: string | null;
  readonly operation: string;
  readonly params: unknown;
}

interface ControlResponse {
  readonly status: number;
  readonly text: string;
}

function post({ path, user, operation, params }: ControlRequest): Promise<ControlResponse> {
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
    sent.setTimeout(TIMEOUT_MS, () => {
      sent.destroy(new ControlError(`the server did not answer within ${TIMEOUT_MS / 1000} s`));
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(params));
  });
}

/** Returns whether a server responds on the socket. The socket of a killed server refuses every connection. */
async function isListening(path: string): Promise<boolean> {
  try {
    await post({ path, user: null, operation: "", params: null });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTSOCK") return false;
    throw Object.assign(error as Error, { path });
  }
}
