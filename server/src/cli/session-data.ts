import { Command } from "commander";
import { withAdmin } from "./connect.ts";
import { addExamples } from "./help.ts";
import { notFoundBy } from "./option-values.ts";
import { bytesText, type Output, terminalSafeJson } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** `sessions data`: shows the data that applications share in a session. */
export function dataCommand(output: Output): Command {
  const command = new Command("data")
    .description("show the data of a live session, without renewing it")
    .argument("<handle-or-id>", "handle of a stored session, or a session id")
    .option("--json", "print the data as JSON in one line, as they are stored")
    .action(async (handleOrId: string, options: { json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      const data = await withAdmin(config, (admin) => admin.readData(handleOrId));
      if (data === undefined) throw notFoundBy(handleOrId, "live session");
      if (options.json === true) {
        output.print(terminalSafeJson(data));
        return;
      }
      output.printJson(JSON.parse(data));
      output.remark(`${bytesText(Buffer.byteLength(data))} of JSON.`);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["sessions data AZq0…", "what applications have put into the session"],
    ["sessions data AZq0… --json", "for a script"],
  ]);
}
