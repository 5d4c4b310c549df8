import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { SocketConfig } from "../config/config.ts";

/** The address or socket to listen on. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly socket: SocketConfig | undefined;
}

/** The reason and advice for each error code of the operating system. */
const advice: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "another process uses it. Stop that process, or choose another port (--port, ANTECHAMBER_PORT); 0 chooses a free one",
  EADDRNOTAVAIL:
    "this machine has no such address. Give --host (ANTECHAMBER_HOST) one that it has, or 0.0.0.0 for all of them",
  EINVAL:
    "the server cannot listen on this address. Give --host (ANTECHAMBER_HOST) one of this machine, or 0.0.0.0 for all of them",
  ENOTFOUND:
    "no address is known for that name. Give --host (ANTECHAMBER_HOST) an address of this machine, or a name that resolves to one",
  EACCES: "the system does not permit this user to do so (ports below 1024 need a special right)",
};
const socketAdvice: Readonly<Record<string, string>> = {
  EADDRINUSE: "another server listens on it",
  EACCES: "this user may not create a socket there. Choose another path (--socket, ANTECHAMBER_SOCKET)",
};

/** Returns an error whose message says where and why the runtime cannot listen, and what to do. */
export async function listenError(error: unknown, { host, port, socket }: Place): Promise<Error> {
  const { code: given = "", message = "" } = error as { code?: string; message?: string };
  const isOfName = (given === "" || given === "EAI_AGAIN") && socket === undefined;
  const code = isOfName ? await codeOfName(host) : given;
  const at = socket?.path ?? `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const known = (socket === undefined ? advice : socketAdvice)[code === "EPERM" ? "EACCES" : code];
  const reason = known ?? (message || "the system does not say why");
  const end = code === "" || reason.includes(code) ? "" : ` (${code})`;
  const explained = new Error(`cannot listen on ${at}: ${reason}${end}`, { cause: error });
  return Object.assign(explained, { code });
}

/** Returns `ENOTFOUND` if a host name has no address, else "". Bun does not report that a name has no address. */
async function codeOfName(host: string): Promise<string> {
  if (isIP(host) !== 0) return "";
  return lookup(host).then(
    () => "",
    () => "ENOTFOUND",
  );
}
