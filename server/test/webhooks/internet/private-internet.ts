// needs: iproute2, openssl, sh, linux

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import type { Answer } from "./name-server.ts";
import type { Order, Report } from "./servers.ts";

/*
 * An internet of one machine. In its network namespace every address, public or not, is one of this machine, so each
 * connection to the ports 80 and 443 is seen, wherever it leads. In its mount namespace the resolver of the C library
 * asks the name server of the test. User namespaces suffice: it needs no root. It ends with the test process, however
 * that ends.
 */

export interface PrivateInternet extends AsyncDisposable {
  /** Command that runs another command inside. */
  readonly wrapper: readonly string[];
  /** File with the certificate of all receivers; it is its own authority. */
  readonly caFile: string;
  /** Sets the answers to the look-ups of names, in turn. The last one of each stays. */
  resolve(names: Readonly<Record<string, readonly Answer[]>>): Promise<void>;
  /** Lets receivers redirect requests with this `host` to another URL. */
  redirect(host: string, location: string): Promise<void>;
  /** Returns the connections since the last call, each as `<address> <port>`, in their order. */
  connections(): Promise<string[]>;
  /** The names that the name server was asked about so far, one for each query. */
  readonly asked: readonly string[];
}

const NAME_SERVER = "127.0.0.53";

/** Starts an internet. `domain` is the domain of all its host names, for the certificate. */
export async function startInternet(domain: string): Promise<PrivateInternet> {
  const directory = temporaryDirectory();
  const keeper = spawn("unshare", ["--map-root-user", "--net", "--mount", "sh", "-c", "echo there && exec cat"], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = once(keeper, "close");
  const end = async () => {
    keeper.stdin.end();
    await ended;
    directory.remove();
  };
  try {
    await entered(keeper, ended);
    const user = ["--user", "--preserve-credentials"];
    const wrapper = ["nsenter", "--target", String(keeper.pid), ...user, "--net", "--mount", "--"];
    layOut(wrapper, directory.path);
    const files = certificateFor(domain, directory.path);
    const servers = await startServers(wrapper, files);
    const dispose = async () => {
      await servers.end();
      await end();
    };
    return { ...servers.orders, wrapper, caFile: files.certificate, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await end();
    throw error;
  }
}

async function entered(keeper: ChildProcess, ended: Promise<unknown>): Promise<void> {
  let complaint = "";
  keeper.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const failed = ended.then(() => {
    throw new Error(`no user namespace with a network and mounts: ${complaint.trim()}`);
  });
  await Promise.race([once(keeper.stdout as NodeJS.ReadableStream, "data"), failed]);
  failed.catch(() => undefined);
}

function layOut(wrapper: readonly string[], folder: string): void {
  const inside = (...command: string[]) => execute([...wrapper, ...command]);
  inside("ip", "link", "set", "lo", "up");
  inside("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo");
  inside("ip", "-6", "route", "add", "local", "::/0", "dev", "lo");
  const files = {
    "/etc/resolv.conf": `nameserver ${NAME_SERVER}\noptions timeout:5 attempts:3\n`,
    "/etc/nsswitch.conf": "hosts: files dns\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
  };
  for (const [path, text] of Object.entries(files)) {
    const own = join(folder, path.replaceAll("/", "-"));
    writeFileSync(own, text);
    inside("mount", "--bind", own, path);
  }
}

/** Creates a certificate for the hosts of a domain. */
function certificateFor(domain: string, folder: string): { certificate: string; key: string } {
  const files = { certificate: join(folder, "certificate.pem"), key: join(folder, "key.pem") };
  execute([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-days", "2", "-subj", `/CN=${domain}`, "-addext", `subjectAltName=DNS:*.${domain}`],
    ...["-keyout", files.key, "-out", files.certificate],
  ]);
  return files;
}

async function startServers(wrapper: readonly string[], files: { certificate: string; key: string }) {
  const [program = "", ...args] = wrapper;
  const script = fileURLToPath(new URL("servers.ts", import.meta.url));
  // Bun reports a connection to a server of HTTP only after its first bytes.
  const node = execFileSync(join(process.cwd(), "scripts", "runtime"), ["node"], { encoding: "utf8" }).trim();
  const command = [...args, node, script, NAME_SERVER, files.certificate, files.key];
  const child = spawn(program, command, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  const asked: string[] = [];
  let connections: string[] = [];
  const waiting = new Map<number, () => void>();
  let last = 0;
  createInterface(child.stdout).on("line", (line) => {
    const report = JSON.parse(line) as Report;
    if ("asked" in report) asked.push(report.asked);
    else if ("connected" in report) connections.push(report.connected);
    else waiting.get(report.done)?.();
  });
  const reply = async (id: number) => {
    const replied = new Promise<void>((resolve) => waiting.set(id, resolve));
    const failed = ended.then(() => Promise.reject(new Error("the servers of the private internet have ended")));
    await Promise.race([replied, failed]);
    failed.catch(() => undefined);
  };
  const order = async (line: DistributiveOmit<Order, "id">) => {
    const id = ++last;
    const replied = reply(id);
    child.stdin.write(`${JSON.stringify({ ...line, id })}\n`);
    await replied;
  };
  await reply(0);
  return {
    orders: {
      asked,
      resolve: (names: Readonly<Record<string, readonly Answer[]>>) => order({ names }),
      redirect: (host: string, location: string) => order({ redirect: { host, location } }),
      async connections() {
        await order({ fence: true });
        const seen = connections;
        connections = [];
        return seen;
      },
    },
    async end() {
      child.stdin.end();
      await ended;
    },
  };
}

type DistributiveOmit<T, Key extends PropertyKey> = T extends unknown ? Omit<T, Key> : never;

function execute([program = "", ...args]: readonly string[]): void {
  execFileSync(program, args, { stdio: "pipe" });
}
