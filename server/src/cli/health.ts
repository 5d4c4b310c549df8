import { Command } from "commander";
import type { Config } from "../config/config.ts";
import { CliError, exitCodes } from "./exit.ts";
import { addExamples } from "./help.ts";
import type { Output } from "./output.ts";
import { addSettings, loadSettings } from "./settings.ts";

/** How long (ms) the server may take to answer: less than what asks for its health waits itself. */
const PATIENCE = 3000;

/** `health`: asks the server with these settings how it is, where there is no curl to do it. */
export function healthCommand(output: Output): Command {
  const command = new Command("health")
    .description("ask the server that runs with these settings whether it lives, for containers")
    .option("--ready", "ask whether it can do its work: whether its store takes writes")
    .action(async (options: { ready?: true }, self: Command) => {
      const path = options.ready === true ? "/readyz" : "/healthz";
      const url = `${addressOf(loadSettings(self).config)}${path}`;
      const status = await statusOf(url);
      if (status !== 200) throw new CliError(exitCodes.failure, `${url} answers ${status}`);
      output.print(`${url} answers 200`);
    });
  addExamples(addSettings(command, ["host", "port"]), [
    ["health", "whether it answers"],
    ["health --ready --port 9000", "whether it takes writes, elsewhere"],
  ]);
  return command;
}

/** Where a server with these settings is reached from its own machine. */
function addressOf({ host, port }: Pick<Config, "host" | "port">): string {
  const everywhere: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  const address = everywhere[host] ?? host;
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url, {
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE),
    });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    const { cause, message } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    throw new CliError(exitCodes.failure, `${url} does not answer: ${reason}`);
  }
}
