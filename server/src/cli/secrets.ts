import { Command } from "commander";
import { withAdmin } from "./connect.ts";
import { addExamples } from "./help.ts";
import { type Output, timeText } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** `secrets rotate`: what session ids are signed with. */
export function secretsCommand(output: Output): Command {
  return new Command("secrets")
    .description("change the secret that session ids are signed with")
    .addCommand(rotateCommand(output));
}

function rotateCommand(output: Output): Command {
  const command = new Command("rotate")
    .description("sign new session ids under a new secret; the ids given out so far stay valid")
    .option("--json", "print when, and how many secrets there are now, as JSON")
    .action(async (options: { json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      const { createdAt, secrets } = await withAdmin(config, (admin) => admin.rotateSecret());
      if (options.json === true) {
        output.printJson({ createdAt: timeText(createdAt), secrets });
      } else {
        output.print(`New session ids are signed under a new secret; ${secrets} are in use.`);
      }
    });
  addExamples(addSettings(command, dataSettings), [
    ["secrets rotate", "every so often, or when a backup may have been read by others"],
  ]);
  return command;
}
