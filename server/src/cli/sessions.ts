import { Command } from "commander";
import type { Config } from "../config/config.ts";
import type { Admin } from "../control/operations.ts";
import type { EndRequest, SessionView } from "../services/session-admin.ts";
import { isUnconditional, type SessionFilter } from "../session/filter.ts";
import { identityOf, isRecognized } from "../session/session.ts";
import { MAX_COUNTED } from "../store/ports/search.ts";
import { withAdmin } from "./connect.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { countOf, handleValueOf, notFoundBy } from "./option-values.ts";
import { jsonText, type Output, table, terminalSafe, timeText } from "./output.ts";
import { interruptibly, withProgress } from "./progress.ts";
import { dataCommand } from "./session-data.ts";
import { addFilter, type FilterOptions, filterOf } from "./session-filter.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";
import { timelineCommand } from "./timeline.ts";

/** Number of sessions that one request reads or ends. */
const PAGE = 256;

/** `sessions get`, `list`, `timeline`, `data` and `end`: find, show and end sessions, by id, by handle or by a filter. */
export function sessionsCommand(output: Output): Command {
  return new Command("sessions")
    .description("find sessions, look at them, end them")
    .addCommand(getCommand(output))
    .addCommand(listCommand(output))
    .addCommand(timelineCommand(output))
    .addCommand(dataCommand(output))
    .addCommand(endCommand(output));
}

function getCommand(output: Output): Command {
  const command = new Command("get")
    .description("show a session, without renewing it")
    .argument("<handle-or-id>", "handle of a stored session, or a session id")
    .option("--json", "print it as JSON")
    .action(async (handleOrId: string, options: { json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      const view = await withAdmin(config, (admin) => admin.getSession(handleOrId));
      if (view === undefined) throw notFoundBy(handleOrId, "session");
      const shown = sessionJson(view);
      if (options.json === true) {
        output.printJson(shown);
        return;
      }
      output.print(table(Object.entries(shown).map(([name, value]) => [name, terminalSafe(value)])));
    });
  return addExamples(addSettings(command, dataSettings), [
    ["sessions get AZq0…", "who the session belongs to, and when it expires"],
  ]);
}

interface ListOptions extends FilterOptions {
  readonly live?: true;
  readonly over?: true;
  readonly limit: number;
  readonly json?: true;
}

function listCommand(output: Output): Command {
  const command = addFilter(new Command("list"))
    .description("list stored sessions, newest first, also ended and expired ones")
    .option("--live", "only live ones")
    .option("--over", "only ended and expired ones")
    .option("--limit <count>", "at most this number", countOf, 100)
    .option("--json", "print JSON, one session a line")
    .action(async (options: ListOptions, self: Command) => {
      const { config } = loadSettings(self);
      const live = options.live === true ? true : options.over === true ? false : null;
      if (options.live === true && options.over === true) {
        throw new CliError(exitCodes.usage, "--live and --over exclude each other");
      }
      const filter = { ...filterOf(options), live };
      const { views, total, isAll } = await withAdmin(config, (admin) => firstSessions(admin, filter, options.limit));
      if (options.json === true) {
        for (const view of views) output.print(jsonText(sessionJson(view)));
        return;
      }
      output.print(views.length === 0 ? "There are no such sessions." : sessionTable(views));
      if (!isAll) output.remark(`There are more${total === null ? "" : `, ${totalText(total)}`}.`);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["sessions list --customer customer-4711", "a customer's sessions"],
    ["sessions list --live --since 2026-11-23 --limit 1000 --json", "for a script"],
  ]);
}

/** Returns the first `limit` sessions that match. Reads several pages if necessary. */
async function firstSessions(admin: Admin, filter: SessionFilter, limit: number) {
  const views: SessionView[] = [];
  let total: number | null = null;
  let after: string | null | undefined;
  while (after !== null && views.length < limit) {
    const asked = Math.min(PAGE, limit - views.length);
    const page = await admin.listSessions({ filter, after: after ?? null, limit: asked });
    views.push(...page.sessions);
    total ??= page.total;
    after = page.next;
  }
  return { views, total, isAll: after === null };
}

function sessionTable(views: readonly SessionView[]): string {
  const rows = views.map(({ session, status }) => [
    session.handle,
    status,
    terminalSafe(session.customerId),
    terminalSafe(session.agentId),
    terminalSafe(session.visitId),
    timeText(session.createdAt),
    timeText(session.expiresAt),
    terminalSafe(session.profile),
    terminalSafe(session.label),
  ]);
  const titles = ["HANDLE", "STATUS", "CUSTOMER", "AGENT", "VISIT", "CREATED", "EXPIRES", "PROFILE", "LABEL"];
  return table([titles, ...rows]);
}

function totalText(total: number): string {
  return total === MAX_COUNTED ? `${total} or more in all` : `${total} in all`;
}

interface EndOptions extends FilterOptions {
  readonly all?: true;
  readonly except?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

function endCommand(output: Output): Command {
  const command = addFilter(
    new Command("end").argument("[handle-or-id]", "handle of a stored session, or a session id"),
  )
    .description("end a session and free its visit, or end all that match")
    .option("--all", "every live session")
    .option("--except <handle-or-id>", "not this session", handleValueOf)
    .option("--dry-run", "only count them, end nothing")
    .option("--json", "print the number as JSON")
    .action(async (handleOrId: string | undefined, options: EndOptions, self: Command) => {
      const filter = filterOf(options);
      const isEmpty = isUnconditional(filter);
      const { config } = loadSettings(self);
      if (handleOrId !== undefined) {
        if (!isEmpty || options.all === true || options.dryRun === true || options.except !== undefined) {
          throw new CliError(exitCodes.usage, "a handle or an id names one session: leave the other options out");
        }
        return endOne(config, handleOrId, output);
      }
      if (isEmpty !== (options.all === true)) {
        const message = isEmpty
          ? "name the sessions to end: by a handle or an id, by options such as --customer, or by --all"
          : "--all ends every session: leave out either --all or the other options";
        throw new CliError(exitCodes.usage, message);
      }
      return endMany(config, filter, options, output);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["sessions end AZq0…", "its id is unknown from now on, also to a running server"],
    ["sessions end --customer customer-4711 --dry-run", "count them first"],
    ["sessions end --customer customer-4711", "sign a customer out everywhere"],
    ["sessions end --customer customer-4711 --except AZq0…", "everywhere else"],
  ]);
}

async function endOne(config: Config, handleOrId: string, output: Output): Promise<void> {
  if (!(await withAdmin(config, (admin) => admin.endSession(handleOrId)))) {
    throw notFoundBy(handleOrId, "live session");
  }
  output.remark("The session has ended.");
}

/** Ends all sessions that match. On a terminal it first counts them, so that the progress bar knows the total. */
async function endMany(config: Config, filter: SessionFilter, options: EndOptions, output: Output): Promise<void> {
  const isDry = options.dryRun === true;
  const selection = { filter, except: options.except ?? null };
  const sessions = await withAdmin(config, (admin) =>
    interruptibly("stopped; what has ended stays ended", async (signal) => {
      if (isDry) return endMatching(admin, selection, true, signal, () => undefined);
      const expected = process.stderr.isTTY ? await endMatching(admin, selection, true, signal, () => undefined) : 0;
      return withProgress(texts, output, (show) =>
        endMatching(admin, selection, false, signal, (done) =>
          show(expected === 0 ? 0 : Math.min(1, done / expected), `Ending: ${done} sessions`),
        ),
      );
    }),
  );
  if (options.json === true) output.printJson({ sessions, dryRun: isDry });
  else output.print(isDry ? `${sessions} sessions would end.` : `${sessions} sessions have ended.`);
}

const texts = { begun: "Ending", done: "Ended", failed: "Not all ended" };

async function endMatching(
  admin: Admin,
  selection: Pick<EndRequest, "filter" | "except">,
  isDry: boolean,
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<number> {
  let sessions = 0;
  for (let after: string | null | undefined; after !== null; ) {
    signal.throwIfAborted();
    const part = await admin.endSessions({ ...selection, after: after ?? null, isDry });
    sessions += part.sessions;
    after = part.next;
    onProgress(sessions);
  }
  return sessions;
}

/** Returns a session as JSON: the members of `SessionInfo`, and further members for operators. */
function sessionJson({ session, status }: SessionView) {
  return {
    handle: session.handle,
    status,
    state: isRecognized(session) ? "recognized" : "anonymous",
    ...identityOf((field) => session[field]),
    createdAt: timeText(session.createdAt),
    lastActiveAt: timeText(session.lastActiveAt),
    expiresAt: timeText(session.expiresAt),
    ...(session.profile === null ? {} : { profile: session.profile }),
    ...(session.label === null ? {} : { label: session.label }),
  };
}
