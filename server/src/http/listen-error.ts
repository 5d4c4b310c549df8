import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { SocketConfig } from "../config/config.ts";

/** Where it was to be listened. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly socket: SocketConfig | undefined;
}

/** What to do about an error of the system. */
const advice: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "something else listens there. Stop it, or choose another port (--port, ANTECHAMBER_PORT); 0 takes a free one",
  EADDRNOTAVAIL:
    "this machine has no such address. Give --host (ANTECHAMBER_HOST) one that it has, or 0.0.0.0 for all of them",
  EINVAL:
    "that is no address to listen on. Give --host (ANTECHAMBER_HOST) one of this machine, or 0.0.0.0 for all of them",
  ENOTFOUND:
    "no address is known for that name. Give --host (ANTECHAMBER_HOST) an address of this machine, or a name that leads to one",
  EACCES: "the system does not allow it to this user (ports below 1024 need a right of their own)",
};
const socketAdvice: Readonly<Record<string, string>> = {
  EADDRINUSE: "another server listens there",
  EACCES:
    "this user may not make a socket there. Choose another place (--socket, ANTECHAMBER_SOCKET)",
};

/** What a runtime throws where it cannot listen, as a message with the place, the reason and what to do. */
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

/** Bun does not say that it found no address for a name. */
async function codeOfName(host: string): Promise<string> {
  if (isIP(host) !== 0) return "";
  return lookup(host).then(
    () => "",
    () => "ENOTFOUND",
  );
}
