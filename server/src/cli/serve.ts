import { Command } from "commander";
import { settingNames } from "../config/settings.ts";
import { shownSettings } from "../config/shown.ts";
import { exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import type { Output } from "./output.ts";
import { addSettings, loadSettings } from "./settings.ts";
import { logUncaught, onUncaught } from "./uncaught.ts";

/** `serve`: runs the service until a signal stops the process. */
export function serveCommand(output: Output): Command {
  const command = new Command("serve")
    .description("run the service until SIGTERM or SIGINT")
    .action(async (_options: unknown, self: Command) => {
      const loaded = loadSettings(self);
      onUncaught(logUncaught);
      const stopped = stopSignal();
      // Loaded only here, because other commands do not need the server.
      const { start } = await import("../runtime/start.ts");
      const server = await start(loaded.config, { settings: shownSettings(loaded) });
      output.print(`antechamber listening on ${server.url}`);
      await stopped;
      await server.close();
    });
  return addExamples(addSettings(command, settingNames), [
    ["serve", "http://127.0.0.1:8080, data in ./data"],
    ["serve --port 0 --data-dir /var/lib/antechamber", "a free port; the ready line names it"],
    ["serve --host 0.0.0.0 --auth key", "for other machines, whose callers need keys"],
    ["serve --base-path /gks-server/v1 --cors-origins https://shop.example", "for existing clients"],
  ]);
}

/**
 * Signals that follow the first one within this time (ms) are ignored. Under `npm start`, Ctrl-C reaches the server
 * twice: the terminal sends the signal to all processes that it runs, and npm forwards the signal that it gets.
 */
const REPEATED_SIGNAL_MS = 1000;

/** Resolves at the first SIGTERM or SIGINT. A later signal ends the process immediately. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let stoppedAt: number | undefined;
    const stop = () => {
      stoppedAt ??= performance.now();
      if (performance.now() - stoppedAt > REPEATED_SIGNAL_MS) process.exit(exitCodes.failure);
      resolve();
    };
    process.on("SIGTERM", stop).on("SIGINT", stop);
  });
}
