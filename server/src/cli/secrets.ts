import { Command } from "commander";
import { withAdmin } from "./connect.ts";
import { addExamples } from "./help.ts";
import { type Output, timeText } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** `secrets rotate`: changes the secret that signs session ids, and gives the keys of assertions. */
export function secretsCommand(output: Output): Command {
  return new Command("secrets")
    .description("change the secret that signs session ids and gives the key of assertions")
    .addCommand(rotateCommand(output));
}

function rotateCommand(output: Output): Command {
  const command = new Command("rotate")
    .description(
      "sign new session ids with a new secret; ids issued before stay valid. Assertions are signed with its key 11 minutes later, when applications know that key",
    )
    .option("--json", "print the time and the number of secrets in use as JSON")
    .action(async (options: { json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      const { createdAt, secrets } = await withAdmin(config, (admin) => admin.rotateSecret());
      if (options.json === true) {
        output.printJson({ createdAt: timeText(createdAt), secrets });
      } else {
        output.print(`New session ids are signed with a new secret; ${secrets} are in use.`);
      }
    });
  return addExamples(addSettings(command, dataSettings), [
    ["secrets rotate", "regularly, or when others may have read a backup"],
  ]);
}
