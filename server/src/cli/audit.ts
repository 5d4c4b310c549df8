import { Command, InvalidArgumentError } from "commander";
import type { Admin } from "../control/admin.ts";
import { type AuditEntry, type ChainFault, chainFaults } from "../store/audit-chain.ts";
import { withAdmin } from "./connect.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { type Output, table, terminalSafe, timeText } from "./output.ts";
import { idOf } from "./session-filter.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** How many entries are asked for at a time. */
const PAGE = 500;
/** How many faults are shown. */
const FAULTS_SHOWN = 20;

/** `audit list`, `audit verify`: what was done to the service by those who run it. */
export function auditCommand(output: Output): Command {
  return new Command("audit")
    .description("read the trail of what was done to the service, and verify it")
    .addCommand(listCommand(output))
    .addCommand(verifyCommand(output));
}

interface ListOptions {
  readonly last: number;
  readonly customer?: string;
  readonly session?: string;
  readonly json?: true;
}

function listCommand(output: Output): Command {
  const command = new Command("list")
    .description("list the last entries, the oldest of them first")
    .option("--last <count>", "so many at the most", countOf, 50)
    .option(
      "--customer <id>",
      "only entries about this customer (the trail has a keyed hash of the id)",
      idOf,
    )
    .option("--session <id>", "only entries about this session", idOf)
    .option("--json", "print them as JSON, an entry a line")
    .action(async (options: ListOptions, self: Command) => {
      const { config } = loadSettings(self);
      const entries = await withAdmin(config, (admin) => lastEntries(admin, options));
      if (options.json === true) {
        for (const entry of entries)
          output.print(JSON.stringify({ ...entry, at: timeText(entry.at) }));
      } else output.print(entries.length === 0 ? "There are no entries." : tableOf(entries));
    });
  addExamples(addSettings(command, dataSettings), [
    ["audit list", "what was done of late"],
    ["audit list --customer customer-4711 --json", "what was done with what is kept of a customer"],
  ]);
  return command;
}

async function lastEntries(admin: Admin, options: ListOptions): Promise<AuditEntry[]> {
  const ids = [options.customer, options.session].filter((id) => id !== undefined);
  const hashes = await Promise.all(ids.map((id) => admin.hashOf(id)));
  const isMeant = ({ details }: AuditEntry) =>
    hashes.every((hash) => Object.values(details).includes(hash));
  const found: AuditEntry[] = [];
  let { last: end } = await admin.auditTrail({ after: 0, limit: 0 });
  while (end > 0 && found.length < options.last) {
    const start = Math.max(0, end - PAGE);
    const { entries } = await admin.auditTrail({ after: start, limit: end - start });
    found.unshift(...entries.filter(isMeant));
    end = start;
  }
  return found.slice(-options.last);
}

function tableOf(entries: readonly AuditEntry[]): string {
  const rows = entries.map(({ sequence, at, who, what, from, outcome, details }) => [
    String(sequence),
    timeText(at),
    terminalSafe(who.agentId ?? who.credential ?? who.role),
    terminalSafe(from),
    what,
    outcome,
    terminalSafe(textOf(details)),
  ]);
  return table([["#", "TIME", "WHO", "FROM", "WHAT", "OUTCOME", "DETAILS"], ...rows]);
}

function textOf(details: AuditEntry["details"]): string {
  const given = Object.entries(details).filter(([, value]) => value !== null);
  return given.map(([name, value]) => `${name}=${value}`).join(" ");
}

function verifyCommand(output: Output): Command {
  const command = new Command("verify")
    .description(
      "look whether entries were changed, taken out or put elsewhere; prints the last hash: note it elsewhere, and what is cut off at the end will show as well",
    )
    .option("--expect <hash>", "a hash that was noted before: fails when it is not in the trail")
    .option("--json", "print the result as JSON")
    .action(async (options: { expect?: string; json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      const { last, faults, isExpected } = await withAdmin(config, (admin) =>
        verify(admin, options.expect),
      );
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
        throw new CliError(exitCodes.failure, `${faults.length} entries do not fit`);
      if (!isExpected) {
        throw new CliError(
          exitCodes.failure,
          "the expected hash is not in the trail: it was cut or replaced",
        );
      }
    });
  addExamples(addSettings(command, dataSettings), [
    ["audit verify", "is the trail what was written?"],
    ["audit verify --expect 9f86d0…", "and does it still have what it had then?"],
  ]);
  return command;
}

async function verify(admin: Admin, expected: string | undefined) {
  const faults: ChainFault[] = [];
  let isExpected = expected === undefined;
  let last: AuditEntry | undefined;
  for (;;) {
    const { entries } = await admin.auditTrail({ after: last?.sequence ?? 0, limit: PAGE });
    if (entries.length === 0) return { last, faults, isExpected };
    faults.push(...chainFaults(entries, last));
    isExpected ||= entries.some(({ hash }) => hash === expected);
    last = entries.at(-1);
  }
}

function countOf(text: string): number {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new InvalidArgumentError("A count is a whole number above 0.");
  return count;
}
