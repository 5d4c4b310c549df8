import { Command } from "commander";
import { ConfigError } from "../config/faults.ts";
import { settingNames } from "../config/settings.ts";
import { shownSettings } from "../config/shown.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { type Output, table } from "./output.ts";
import { addSettings, loadSettings } from "./settings.ts";

/** `config check`, `config show`: check and show the configuration that `serve` would use with the same flags. */
export function configCommand(output: Output): Command {
  return new Command("config")
    .description("check or show the configuration")
    .addCommand(checkCommand(output))
    .addCommand(showCommand(output));
}

function checkCommand(output: Output): Command {
  const command = new Command("check")
    .description("check the configuration and list all its faults, without starting the server")
    .option("--json", "print { valid, faults } as JSON")
    .action((options: { json?: true }, self: Command) => {
      if (options.json !== true) {
        loadSettings(self);
        output.print("The configuration is valid.");
        return;
      }
      const faults = faultsOf(self);
      output.printJson({ valid: faults.length === 0, faults });
      if (faults.length > 0) throw new CliError(exitCodes.usage, "");
    });
  return addExamples(addSettings(command, settingNames), [
    ["config check", "before a restart"],
    ["config check --config /etc/antechamber.json", "a file before it is used"],
  ]);
}

function faultsOf(command: Command): ConfigError["faults"] {
  try {
    loadSettings(command);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

function showCommand(output: Output): Command {
  const command = new Command("show")
    .description("show the value of every setting and where it comes from; secrets are masked")
    .option("--json", "print them as JSON")
    .action((options: { json?: true }, self: Command) => {
      const rows = shownSettings(loadSettings(self));
      if (options.json === true) {
        const entries = rows.map(({ name, value, source, from }) => [name, { value, source, from }]);
        output.printJson(Object.fromEntries(entries));
        return;
      }
      const cells = rows.map(({ name, value, from }) => [name, String(value) || "-", from]);
      output.print(table([["SETTING", "VALUE", "FROM"], ...cells]));
    });
  return addExamples(addSettings(command, settingNames), [
    ["config show", "the configuration that the server would use"],
    ["config show --json | jq -r .dataDir.value", "one value, in a script"],
  ]);
}
