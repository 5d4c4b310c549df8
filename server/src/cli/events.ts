import type { EventInfo } from "@antechamber/client/protocol";
import { Command } from "commander";
import type { Config } from "../config/config.ts";
import type { Admin } from "../control/operations.ts";
import { type EventType, isEventPlace, type LoggedType, loggedTypes } from "../session/event.ts";
import { withAdmin } from "./connect.ts";
import { engineOf } from "./engines.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { type Output, terminalSafe, terminalSafeJson } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** Number of events that one request reads, and how long (ms) it waits for the first. A stopping server waits as long. */
const PAGE = 500;
const WAIT_MS = 1000;
/** Width of the column with the types. */
const TYPE_WIDTH = 18;

interface TailOptions {
  readonly types?: string;
  readonly customer?: string;
  readonly after: string;
  readonly once?: true;
  readonly json?: true;
}

/** `events`: shows the event log. */
export function eventsCommand(output: Output): Command {
  return new Command("events").description("what happens to sessions").addCommand(tailCommand(output));
}

function tailCommand(output: Output): Command {
  const command = new Command("tail")
    .description("show events as they happen, until the command is interrupted")
    .option("--types <types>", `only these types, with commas between them: ${loggedTypes.join(", ")}`)
    .option("--customer <id>", "only events about this customer")
    .option("--after <id>", "begin after this event; start: with the oldest one, end: with the next one", "end")
    .option("--once", "show the events that there are, and end")
    .option("--json", "print JSON, one event a line")
    .action(async (options: TailOptions, self: Command) => {
      const { config } = loadSettings(self);
      const types = options.types === undefined ? null : typesIn(options.types);
      if (!isEventPlace(options.after)) {
        const text = terminalSafe(options.after);
        throw new CliError(exitCodes.usage, `--after ${text} is not the id of an event, start or end`);
      }
      await tail(config, { ...options, types }, output);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["events tail", "what happens from now on"],
    ["events tail --types session.ended,session.expired", "the ends of sessions"],
    ["events tail --after start --once --json", "everything that is kept, for a script"],
  ]);
}

function typesIn(text: string): LoggedType[] {
  return text.split(",").map((name) => {
    const type = loggedTypes.find((known) => known === name.trim());
    if (type !== undefined) return type;
    throw new CliError(
      exitCodes.usage,
      `${terminalSafe(name)} is no type of event; there are ${loggedTypes.join(", ")}`,
    );
  });
}

type Request = Omit<TailOptions, "types"> & { readonly types: readonly LoggedType[] | null };

async function tail(config: Config, request: Request, output: Output): Promise<void> {
  const running = await engineOf(config).connect();
  if (running !== undefined) return show(running, request, output, request.once !== true);
  await withAdmin(config, (admin) => show(admin, request, output, false));
  if (request.once !== true) output.remark("No server runs on the data, so no events follow.");
}

/** Shows the events after a position; with `follows`, also those that follow, without an end. */
async function show(admin: Admin, request: Request, output: Output, follows: boolean): Promise<void> {
  const { types, customer: customerId = null, json: isJson } = request;
  let after = request.after;
  for (;;) {
    const waitMs = follows ? WAIT_MS : 0;
    const page = await admin.readEvents({ after, limit: PAGE, types, customerId, waitMs });
    if (page === null) {
      throw new CliError(exitCodes.notFound, "there is no event log: the setting events is off");
    }
    if (page.isGone)
      output.remark("The event to continue after is not in the log any more; these are all events that are kept.");
    for (const event of page.events) {
      output.print(isJson ? terminalSafeJson(event) : lineOf(JSON.parse(event) as EventInfo, output));
    }
    if (!follows && !page.hasMore) return;
    after = page.next;
  }
}

/** Codes of ECMA-48: the beginning of each style. */
const styles = { dim: 2, begun: 32, changed: 36, over: 33, erased: 31 } as const;

const styleOf: Readonly<Record<EventType, keyof typeof styles>> = {
  "session.created": "begun",
  "session.associated": "changed",
  "session.rotated": "changed",
  "session.ended": "over",
  "session.expired": "over",
  "customer.erased": "erased",
  "webhook.test": "dim",
};

function lineOf(event: EventInfo, { isColoured }: Output): string {
  const paint = (text: string, style: keyof typeof styles) =>
    isColoured ? `\u001B[${styles[style]}m${text}\u001B[0m` : text;
  const head = [paint(event.timestamp, "dim"), paint(event.type.padEnd(TYPE_WIDTH), styleOf[event.type])];
  return [...head, ...detailsOf(event)].join("  ").trimEnd();
}

function detailsOf(event: EventInfo): string[] {
  if (event.type === "webhook.test") return [];
  if (event.type === "customer.erased") return [`customer ${event.data.customerHash}`];
  const { handle, customerId, agentId, visitId, globalVisitId, label } = event.data.session;
  const ids = { customerId, agentId, visitId, globalVisitId, label };
  const given = Object.entries(ids).filter(([, value]) => value !== null);
  return [
    handle,
    ...("reason" in event.data ? [event.data.reason] : []),
    ...given.map(([name, value]) => `${name} ${terminalSafe(value)}`),
  ];
}
