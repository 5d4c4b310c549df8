import { get, type RequestOptions } from "node:http";
import { Command } from "commander";
import type { Config } from "../config/config.ts";
import { safeMessage } from "../logging/safe-error.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import type { Output } from "./output.ts";
import { addSettings, loadSettings } from "./settings.ts";

/** Maximum time to wait for the response. Container runtimes usually wait longer. */
const TIMEOUT_MS = 3000;

/** `health`: asks the running server for its health. It is for health checks in containers, which often lack curl. */
export function healthCommand(output: Output): Command {
  const command = new Command("health")
    .description("check that the server with these settings responds, for health checks of containers")
    .option("--ready", "check that the server is ready: that its store accepts writes")
    .action(async (options: { ready?: true }, self: Command) => {
      const path = options.ready === true ? "/readyz" : "/healthz";
      const { name, ...place } = addressOf(loadSettings(self).config);
      const url = `${name}${path}`;
      const status = await statusOf({ ...place, path }).catch((error: Error) => {
        throw new CliError(exitCodes.failure, `${url} does not answer: ${safeMessage(error)}`);
      });
      if (status !== 200) throw new CliError(exitCodes.failure, `${url} answers ${status}`);
      output.print(`${url} answers 200`);
    });
  return addExamples(addSettings(command, ["host", "port", "socket"]), [
    ["health", "whether it responds"],
    ["health --ready --port 9000", "whether it accepts writes, on another port"],
    ["health --socket /run/antechamber/http.sock", "over a Unix socket"],
  ]);
}

/** Returns the address at which the server can be reached from its own machine, and a name for messages. */
function addressOf({ host, port, socket }: Pick<Config, "host" | "port" | "socket">) {
  if (socket !== undefined) {
    return { name: `unix:${socket.path}`, socketPath: socket.path, host: "localhost" };
  }
  const everywhere: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  const address = everywhere[host] ?? host;
  const name = `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
  return { name, host: address, port };
}

function statusOf(place: RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const request = get({ ...place, agent: false, signal }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on("error", (error) => {
      reject(signal.aborted ? new Error(`no response within ${TIMEOUT_MS / 1000} s`) : error);
    });
  });
}
