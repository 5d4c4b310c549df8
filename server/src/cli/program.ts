import { styleText } from "node:util";
import { Command } from "commander";
import { suggestion } from "../config/faults.ts";
import { version } from "../runtime/version.ts";
import { auditCommand } from "./audit.ts";
import { backupCommand } from "./backup.ts";
import { completionCommand } from "./completion.ts";
import { configCommand } from "./config.ts";
import { customersCommand } from "./customers.ts";
import { doctorCommand } from "./doctor.ts";
import { eventsCommand } from "./events.ts";
import { exitCodes } from "./exit-codes.ts";
import { healthCommand } from "./health.ts";
import { addExamples } from "./help.ts";
import { keysCommand } from "./keys.ts";
import { migrateCommand } from "./migrate.ts";
import type { Output } from "./output.ts";
import { secretsCommand } from "./secrets.ts";
import { serveCommand } from "./serve.ts";
import { sessionsCommand } from "./sessions.ts";
import { statisticsCommand } from "./statistics.ts";
import { webhooksCommand } from "./webhooks.ts";

/** The meaning of each exit status, for `--help` and the documentation. */
const exitTexts: Readonly<Record<keyof typeof exitCodes, string>> = {
  ok: "done",
  failure: "the command failed; the message says why",
  usage: "the command line or the configuration has a fault",
  notFound: "there is nothing with that name or id",
  dataUnavailable: "the data cannot be used: in use by another process, missing or unreadable",
};

/** Creates the command line. Its commands throw errors, and `exitOf` returns the exit status for an error. */
export function createProgram(output: Output): Command {
  const program = new Command("antechamber")
    .description("A self-hosted session management service.")
    .version(version)
    .addCommand(serveCommand(output))
    .addCommand(configCommand(output))
    .addCommand(keysCommand(output))
    .addCommand(sessionsCommand(output))
    .addCommand(customersCommand(output))
    .addCommand(eventsCommand(output))
    .addCommand(statisticsCommand(output))
    .addCommand(auditCommand(output))
    .addCommand(webhooksCommand(output))
    .addCommand(secretsCommand(output))
    .addCommand(backupCommand(output))
    .addCommand(migrateCommand(output))
    .addCommand(doctorCommand(output))
    .addCommand(healthCommand(output));
  program.addCommand(completionCommand(output, program));
  program.addHelpText("after", `\nExit status:\n${exitLines().join("\n")}`);
  addExamples(program, [
    ["serve", "serve on http://127.0.0.1:8080, data in ./data"],
    ["serve --port 9000 --base-path /gks-server/v1", "on another port and path"],
    ["keys create --help", "the help of one command"],
  ]);
  everyCommand(program, (command) => {
    suggestInHelp(command);
    // Commander's messages get the same prefix as all others.
    command.configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "antechamber: ")),
    });
    command.exitOverride();
    command.showHelpAfterError("(see --help)");
    command.configureHelp({ styleTitle: (title) => styleText("bold", title), sortOptions: false });
  });
  return program;
}

/** Makes `help kyes` fail like `kyes`, with a suggestion. Commander would print the general help instead. */
function suggestInHelp(command: Command): void {
  const help = command.help.bind(command);
  command.help = (context) => {
    const [word, name] = command.args;
    const names = command.commands.map((each) => each.name());
    const isUnknown = word === "help" && name !== undefined && name !== "help";
    if (isUnknown && !names.includes(name)) {
      const message = `unknown command '${name}'${suggestion(name, names)}`;
      command.error(`error: ${message}`, { code: "commander.unknownCommand" });
    }
    return help(context as { error: boolean });
  };
}

function exitLines(): string[] {
  const names = Object.keys(exitCodes) as (keyof typeof exitCodes)[];
  return names.map((name) => `  ${exitCodes[name]}  ${exitTexts[name]}`);
}

/** Calls `visit` for `command` and all its subcommands. */
export function everyCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const below of command.commands) everyCommand(below, visit);
}
