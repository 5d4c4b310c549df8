import { Command } from "commander";
import type { Admin } from "../control/operations.ts";
import { checkEntries, findEntries } from "../services/audit-search.ts";
import { handleIn } from "../session/id.ts";
import type { AuditEntry } from "../store/audit-chain.ts";
import { withAdmin } from "./connect.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { countOf, idOf, timeOf } from "./option-values.ts";
import { jsonText, type Output, table, terminalSafe, timeText } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** Maximum number of faults that are printed. */
const FAULTS_SHOWN = 20;

/** `audit list`, `audit verify`: show the audit trail, and check that nobody has changed it. */
export function auditCommand(output: Output): Command {
  return new Command("audit")
    .description("show or verify the trail of what operators did")
    .addCommand(listCommand(output))
    .addCommand(verifyCommand(output));
}

interface ListOptions {
  readonly last: number;
  readonly customer?: string;
  readonly session?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly since?: number;
  readonly until?: number;
  readonly json?: true;
}

function listCommand(output: Output): Command {
  const command = new Command("list")
    .description("list the last entries, oldest first")
    .option("--last <count>", "at most this number", countOf, 50)
    .option("--customer <id>", "only entries about this customer (the trail has a keyed hash of the id)", idOf)
    .option("--session <id-or-handle>", "only entries about this session", idOf)
    .option("--actor <name>", "only entries of this API key (id or name), agent, or user of the operating system", idOf)
    .option(
      "--action <name>",
      "only entries of this operation, such as customer.erase, or of a group, such as customer",
      idOf,
    )
    .option("--since <time>", "only entries from this time on, such as 2026-11-23T10:00Z", timeOf)
    .option("--until <time>", "only entries before this time", timeOf)
    .option("--json", "print JSON, one entry a line")
    .action(async (options: ListOptions, self: Command) => {
      const { config } = loadSettings(self);
      const entries = await withAdmin(config, (admin) => lastEntries(admin, options));
      if (options.json === true) {
        for (const entry of entries) output.print(jsonText({ ...entry, at: timeText(entry.at) }));
      } else output.print(entries.length === 0 ? "There are no entries." : tableOf(entries));
    });
  return addExamples(addSettings(command, dataSettings), [
    ["audit list", "what was done recently"],
    ["audit list --customer customer-4711 --json", "what was done with the data of a customer"],
  ]);
}

async function lastEntries(admin: Admin, options: ListOptions): Promise<AuditEntry[]> {
  const { customer, session, actor = null, action = null, since = null, until = null, last: limit } = options;
  const about: string[] = [];
  if (customer !== undefined) about.push(await admin.hashOf(customer));
  if (session !== undefined) about.push(handleIn(session) ?? (await admin.hashOf(session)));
  const search = { before: null, limit, maxRead: Number.POSITIVE_INFINITY };
  const { entries } = await findEntries(admin.auditTrail, { actor, action, since, until, about }, search);
  return entries.toReversed();
}

function tableOf(entries: readonly AuditEntry[]): string {
  const rows = entries.map(({ sequence, at, who, what, from, outcome, details }) => [
    String(sequence),
    timeText(at),
    terminalSafe(callerOf(who)),
    terminalSafe(from),
    what,
    outcome,
    terminalSafe(textOf(details)),
  ]);
  return table([["#", "TIME", "WHO", "FROM", "WHAT", "OUTCOME", "DETAILS"], ...rows]);
}

/** Returns the caller of an operation: the agent, or the key with its name, or the operating system's user. */
function callerOf({ agentId, credential, keyName, role }: AuditEntry["who"]): string {
  if (agentId !== null) return agentId;
  return keyName === null ? (credential ?? role) : `${keyName} (${credential})`;
}

function textOf(details: AuditEntry["details"]): string {
  const given = Object.entries(details).filter(([, value]) => value !== null);
  return given.map(([name, value]) => `${name}=${value}`).join(" ");
}

function verifyCommand(output: Output): Command {
  const command = new Command("verify")
    .description(
      "check that no entry was changed, removed or moved; prints the last hash: keep it elsewhere, to find out later whether entries at the end were removed",
    )
    .option("--expect <hash>", "a hash that was kept before: fails if it is not in the trail")
    .option("--json", "print the result as JSON")
    .action(async (options: { expect?: string; json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      const { last, faults, isExpectedFound } = await withAdmin(config, (admin) =>
        checkEntries(admin.auditTrail, undefined, Number.POSITIVE_INFINITY, options.expect),
      );
      const isExpected = options.expect === undefined || isExpectedFound;
      const entries = last?.sequence ?? 0;
      const hash = last?.hash ?? null;
      if (options.json === true) {
        output.printJson({ entries, hash, faults, ...(options.expect && { isExpected }) });
      } else {
        output.print(
          table([
            ["entries", String(entries)],
            ["last hash", hash ?? "-"],
          ]),
        );
        for (const { sequence, fault } of faults.slice(0, FAULTS_SHOWN)) {
          output.print(`  entry ${sequence}: ${fault}`);
        }
      }
      if (faults.length > 0)
        throw new CliError(exitCodes.failure, `${faults.length} entries were changed, removed or moved`);
      if (!isExpected) {
        throw new CliError(
          exitCodes.failure,
          "the expected hash is not in the trail: entries were removed or replaced",
        );
      }
    });
  return addExamples(addSettings(command, dataSettings), [
    ["audit verify", "whether the trail is intact"],
    ["audit verify --expect 9f86d0…", "and still has all entries up to this hash"],
  ]);
}
