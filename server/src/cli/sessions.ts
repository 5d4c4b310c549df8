import { Command } from "commander";
import type { SessionView } from "../control/admin.ts";
import { isRecognized } from "../session/session.ts";
import { withAdmin } from "./connect.ts";
import { CliError, exitCodes } from "./exit.ts";
import { addExamples } from "./help.ts";
import { callerText, type Output, table, timeText } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** `sessions get`, `sessions end`: one session by its id. */
export function sessionsCommand(output: Output): Command {
  return new Command("sessions")
    .description("look at a session, or end it")
    .addCommand(getCommand(output))
    .addCommand(endCommand(output));
}

function getCommand(output: Output): Command {
  const command = new Command("get")
    .description("show a session; looking at it does not prolong it")
    .argument("<id>", "session id")
    .option("--json", "print it as JSON")
    .action(async (id: string, options: { json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      const view = await withAdmin(config, (admin) => admin.getSession(id));
      if (view === undefined) {
        throw new CliError(
          exitCodes.notFound,
          "there is no such session: this service did not make the id, or nothing is left of it",
        );
      }
      const shown = sessionJson(view);
      if (options.json === true) {
        output.printJson(shown);
        return;
      }
      output.print(table(Object.entries(shown).map(([name, value]) => [name, callerText(value)])));
    });
  addExamples(addSettings(command, dataSettings), [
    ["sessions get AZq0…", "whose session it is and how long it lives"],
  ]);
  return command;
}

function endCommand(output: Output): Command {
  const command = new Command("end")
    .description("end a session for good and free its visit")
    .argument("<id>", "session id")
    .action(async (id: string, _options: unknown, self: Command) => {
      const { config } = loadSettings(self);
      if (!(await withAdmin(config, (admin) => admin.endSession(id)))) {
        throw new CliError(exitCodes.notFound, "there is no live session of this id");
      }
      output.remark("The session has ended.");
    });
  addExamples(addSettings(command, dataSettings), [
    ["sessions end AZq0…", "its next request meets a running server as an unknown one"],
  ]);
  return command;
}

/** The members of SessionInfo, and what only an operator sees. */
function sessionJson({ session, status }: SessionView) {
  return {
    sessionId: session.id,
    status,
    state: isRecognized(session) ? "recognized" : "anonymous",
    agentId: session.agentId,
    customerId: session.customerId,
    visitId: session.visitId,
    globalVisitId: session.globalVisitId,
    createdAt: timeText(session.createdAt),
    lastActiveAt: timeText(session.lastActiveAt),
    expiresAt: timeText(session.expiresAt),
  };
}
