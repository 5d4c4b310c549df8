import { Command, Option } from "commander";
import type { LoadedConfig } from "../config/load.ts";
import { parseDuration } from "../config/values.ts";
import type { Admin } from "../control/operations.ts";
import {
  type ApiKeyInfo,
  type ApiKeyRequest,
  type CreatedApiKey,
  faultOfApiKeyRequest,
} from "../services/credentials.ts";
import { type Role, roles } from "../session/permissions.ts";
import { withAdmin } from "./connect.ts";
import { engineOf } from "./engines.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { type Output, table, terminalSafe, timeJson, timeText } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

interface CreateOptions {
  readonly name?: string;
  readonly role: Role;
  readonly customer?: string;
  readonly agent?: string;
  readonly expires?: string;
  readonly json?: true;
}

/** `keys create`, `keys list`, `keys rotate`, `keys revoke`: manage the API keys that `auth` `key` requires. */
export function keysCommand(output: Output): Command {
  return new Command("keys")
    .description("create, list, rotate and revoke API keys, which callers need with auth key")
    .addCommand(createCommand(output))
    .addCommand(listCommand(output))
    .addCommand(rotateCommand(output))
    .addCommand(revokeCommand(output));
}

function createCommand(output: Output): Command {
  const command = new Command("create")
    .description("create a key and print it; only its hash is stored, so it cannot be shown again")
    .addOption(new Option("--role <role>", "the role of the key's callers").choices(roles).makeOptionMandatory())
    .option("--name <name>", "a name for it in lists and in the audit trail, such as the program that uses it")
    .option("--customer <id>", "the only customer it may act for (role customer)")
    .option("--agent <id>", "the only agent it may act for (role agent)")
    .option("--expires <duration>", "time until it expires, such as 90d; without it, the key never expires")
    .option("--json", "print the key and its properties as JSON")
    .action(async (options: CreateOptions, self: Command) => {
      const request = requestOf(options);
      const { config } = loadSettings(self);
      const remarkIfUnused = engineOf(config).remarkIfUnused();
      let remark: string | undefined;
      const create = async (admin: Admin) => {
        remark = await remarkIfUnused(admin);
        return admin.createKey(request);
      };
      const made = await withAdmin(config, create, { mustExist: false });
      printMade(made, options, output);
      if (remark !== undefined) output.remark(remark);
    });
  return addExamples(addSettings(command, dataSettings), [
    ['keys create --role service --name "Shop server"', "a key for the server of an application"],
    ["keys create --role agent --agent anna --expires 90d", "a key for one agent, valid for 90 days"],
    ["keys create --role customer", "a key for public pages, which cannot act for a customer"],
  ]);
}

function printMade({ key, info }: CreatedApiKey, options: { json?: true }, output: Output): void {
  if (options.json === true) {
    output.printJson({ key, ...keyJson(info) });
    return;
  }
  // Only the key goes to stdout, so that KEY=$(antechamber keys create …) works.
  output.print(key);
  output.remark(`This is the only time that the key ${info.id} is shown.`);
  output.remark(
    info.expiresAt === null ? "It is valid until it is revoked." : `It is valid until ${timeText(info.expiresAt)}.`,
  );
}

/** Converts the options into a request. Throws a usage error if they are invalid. */
function requestOf(options: CreateOptions): ApiKeyRequest {
  const { expires } = options;
  const validFor = expires === undefined ? null : durationOf("--expires", expires);
  const request: ApiKeyRequest = {
    name: options.name ?? null,
    role: options.role,
    customerId: options.customer ?? null,
    agentId: options.agent ?? null,
    validFor,
  };
  const fault = faultOfApiKeyRequest(request);
  if (fault !== undefined) throw new CliError(exitCodes.usage, fault.detail);
  return request;
}

function listCommand(output: Output): Command {
  const command = new Command("list")
    .description("list all keys, oldest first, also revoked and expired ones")
    .option("--json", "print them as JSON")
    .action(async (options: { json?: true }, self: Command) => {
      const loaded: LoadedConfig = loadSettings(self);
      const keys = await withAdmin(loaded.config, (admin) => admin.listKeys());
      if (options.json === true) output.printJson(keys.map(keyJson));
      else output.print(keys.length === 0 ? "There are no keys." : keyTable(keys));
    });
  return addExamples(addSettings(command, dataSettings), [
    ["keys list", "all keys"],
    ["keys list --json | jq -r '.[] | select(.status == \"valid\").id'", "the valid ones"],
  ]);
}

/** Parses a duration into milliseconds. Throws a usage error if the text is not a duration. */
function durationOf(flag: string, text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined) return milliseconds;
  const given = JSON.stringify(text);
  throw new CliError(exitCodes.usage, `${flag} ${given} is not a duration such as 90d, 12h or 30m`);
}

const listHint = "antechamber keys list shows the keys, and the id of each (k_…) by which a command names it";

function rotateCommand(output: Output): Command {
  const command = new Command("rotate")
    .description("create a key that replaces another; for a while both are valid")
    .argument("<id>", "id of the key to replace, as keys list shows it")
    .option("--grace <duration>", "time for which the old key stays valid; 0s revokes it at once", "24h")
    .option("--json", "print the new key and its properties as JSON")
    .action(async (id: string, options: { grace: string; json?: true }, self: Command) => {
      const grace = durationOf("--grace", options.grace);
      const { config } = loadSettings(self);
      const result = await withAdmin(config, (admin) => admin.rotateKey({ id, grace }));
      if (result.outcome === "not-found") {
        throw new CliError(exitCodes.notFound, `there is no valid key ${terminalSafe(id)}: ${listHint}`);
      }
      if (result.outcome === "rotated-before") throw rotatedBefore(id, result.successor);
      printMade(result.made, options, output);
      if (options.json === true) return;
      output.remark(`The key ${id} is valid until ${timeText(result.replaced.expiresAt)}.`);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["keys rotate k_9f86d081884c", "callers have a day to change to the new key"],
    ["keys rotate k_9f86d081884c --grace 0s", "the old key may have leaked"],
  ]);
}

function rotatedBefore(id: string, successor: string): CliError {
  return new CliError(
    exitCodes.failure,
    `the key ${id} was rotated already, and nothing was changed: its successor is ${successor}. If the successor was lost, replace it: antechamber keys rotate ${successor} --grace 0s`,
  );
}

function revokeCommand(output: Output): Command {
  const command = new Command("revoke")
    .description("revoke a key: it is refused from now on")
    .argument("<id>", "id of the key, as keys list shows it")
    .action(async (id: string, _options: unknown, self: Command) => {
      const { config } = loadSettings(self);
      if (!(await withAdmin(config, (admin) => admin.revokeKey(id)))) {
        throw new CliError(
          exitCodes.notFound,
          `there is no key ${terminalSafe(id)}, or it was already revoked: ${listHint}`,
        );
      }
      output.remark(`The key ${id} is revoked.`);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["keys revoke k_9f86d081884c", "a running server refuses the key at once"],
  ]);
}

function statusOf({ expiresAt, revokedAt }: ApiKeyInfo): "valid" | "revoked" | "expired" {
  if (revokedAt !== null) return "revoked";
  return expiresAt !== null && expiresAt <= Date.now() ? "expired" : "valid";
}

function keyJson(key: ApiKeyInfo) {
  return {
    id: key.id,
    name: key.name,
    role: key.role,
    customerId: key.customerId,
    agentId: key.agentId,
    status: statusOf(key),
    createdAt: timeJson(key.createdAt),
    expiresAt: timeJson(key.expiresAt),
    revokedAt: timeJson(key.revokedAt),
    lastUsedAt: timeJson(key.lastUsedAt),
    successorId: key.successorId,
  };
}

function keyTable(keys: readonly ApiKeyInfo[]): string {
  const rows = keys.map((key) => [
    key.id,
    terminalSafe(key.name),
    key.role,
    terminalSafe(key.customerId ?? key.agentId),
    statusOf(key),
    timeText(key.createdAt),
    timeText(key.expiresAt),
    timeText(key.lastUsedAt),
  ]);
  return table([["ID", "NAME", "ROLE", "FOR", "STATUS", "CREATED", "EXPIRES", "LAST USED"], ...rows]);
}
