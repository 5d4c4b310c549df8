import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { Command } from "commander";
import type { Admin } from "../control/operations.ts";
import { anySession } from "../session/filter.ts";
import { MAX_COUNTED } from "../store/ports/search.ts";
import { withAdmin } from "./connect.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { idOf } from "./option-values.ts";
import { type Output, terminalSafe, terminalSafeJson } from "./output.ts";
import { interruptibly, withProgress } from "./progress.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** `customers export`, `customers erase`: export and erase all data of a customer. */
export function customersCommand(output: Output): Command {
  return new Command("customers")
    .description("export or erase all data of a customer")
    .addCommand(exportCommand(output))
    .addCommand(eraseCommand(output));
}

function exportCommand(output: Output): Command {
  const command = new Command("export")
    .description("print all data of a customer as lines of JSON; the last line marks the end")
    .argument("<customer>", "id of the customer", idOf)
    .option("--out <file>", "write it to this new file")
    .action(async (customerId: string, options: { out?: string }, self: Command) => {
      const { config } = loadSettings(self);
      const { sessions, lines } = await withAdmin(config, (admin) =>
        interruptibly("the export was stopped", (signal) =>
          options.out === undefined
            ? writeTo(process.stdout, admin, customerId, signal)
            : writeFile(options.out, admin, customerId, signal),
        ),
      );
      if (lines === 0) throw nothingKept(customerId);
      output.remark(`${count(sessions, "session")} of ${terminalSafe(customerId)}.`);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["customers export customer-4711 --out customer-4711.jsonl", "for a customer who asks for their data"],
  ]);
}

/** Returns the error for a customer without data: a mistyped id must not look like a success. */
function nothingKept(customerId: string): CliError {
  const message = `nothing is stored about a customer ${terminalSafe(customerId)}: ids are case-sensitive (find them with antechamber sessions list --customer)`;
  return new CliError(exitCodes.notFound, message);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** The size of an export. */
interface Written {
  readonly sessions: number;
  /** Number of lines, not counting the last line, which marks the end. */
  readonly lines: number;
}

/** Writes the export to a new file that only its owner can read. If the export fails or is empty, removes the file. */
async function writeFile(file: string, admin: Admin, customerId: string, signal: AbortSignal): Promise<Written> {
  const stream = createWriteStream(file, { flags: "wx", mode: 0o600 });
  await once(stream, "open");
  try {
    const written = await writeTo(stream, admin, customerId, signal);
    stream.end();
    await finished(stream);
    if (written.lines === 0) await rm(file, { force: true });
    return written;
  } catch (error) {
    stream.destroy();
    await rm(file, { force: true });
    throw error;
  }
}

/** Writes the export page by page, waiting whenever `stream` is full. Returns the size of the export. */
async function writeTo(stream: Writable, admin: Admin, customerId: string, signal: AbortSignal): Promise<Written> {
  let sessions = 0;
  let lines = 0;
  for (let after: string | null | undefined; after !== null; ) {
    signal.throwIfAborted();
    const part = await admin.exportCustomer({ customerId, after: after ?? null });
    sessions += part.sessions;
    lines += part.lines.length;
    after = part.next;
    const text = part.lines.map((line) => `${terminalSafeJson(line)}\n`).join("");
    if (text !== "" && !stream.write(text)) await once(stream, "drain");
  }
  stream.write(`${JSON.stringify({ type: "end", sessions })}\n`);
  return { sessions, lines };
}

function eraseCommand(output: Output): Command {
  const command = new Command("erase")
    .description("end and erase all sessions and keys of a customer; backups are not changed")
    .argument("<customer>", "id of the customer", idOf)
    .option("--yes", "do not ask")
    .option("--json", "print the numbers of erased sessions and keys as JSON")
    .action(async (customerId: string, options: { yes?: true; json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      const mayAsk = process.stdin.isTTY && process.stderr.isTTY;
      if (options.yes !== true && !mayAsk) {
        const message = "there is no terminal to ask for confirmation: --yes erases without asking";
        throw new CliError(exitCodes.usage, message);
      }
      const erased = await withAdmin(config, async (admin) => {
        if (options.yes !== true) await confirmErasure(admin, customerId);
        return interruptibly("the erasure was stopped; run the same command again to continue it", (signal) =>
          withProgress(texts, output, async (show) => {
            const sum = { sessions: 0, keys: 0 };
            for (let isMore = true; isMore; ) {
              signal.throwIfAborted();
              const part = await admin.eraseCustomer(customerId);
              sum.sessions += part.sessions;
              sum.keys += part.keys;
              isMore = part.next !== null;
              show(isMore ? 0.5 : 1, `Erasing: ${sum.sessions} sessions`);
            }
            return sum;
          }),
        );
      });
      if (options.json === true) output.printJson(erased);
      if (erased.sessions + erased.keys === 0) throw nothingKept(customerId);
      if (options.json === true) return;
      const { sessions, keys } = erased;
      output.print(`Erased ${count(sessions, "session")} and ${count(keys, "key")}.`);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["customers erase customer-4711", "asks for confirmation"],
    ["customers erase customer-4711 --yes --json", "from a script"],
  ]);
}

const texts = { begun: "Erasing", done: "Erased", failed: "Not erased" };

/** Shows how many sessions and keys would be erased, and asks for confirmation. Does not ask if there are none. */
async function confirmErasure(admin: Admin, customerId: string): Promise<void> {
  const filter = { ...anySession, customerId };
  const { total } = await admin.listSessions({ filter, after: null, limit: 1 });
  const keys = (await admin.listKeys()).filter((key) => key.customerId === customerId).length;
  if (total === 0 && keys === 0) return;
  const many = total === MAX_COUNTED ? `${total} sessions or more` : count(total ?? 0, "session");
  const { confirm } = await import("@clack/prompts");
  const message = `Erase everything that is stored about ${terminalSafe(customerId)}: ${many} and ${count(keys, "key")}? It cannot be undone.`;
  const answer = await confirm({ message, initialValue: false, output: process.stderr });
  if (answer !== true) throw new CliError(exitCodes.failure, "nothing was erased");
}
