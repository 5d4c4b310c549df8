import { setTimeout as delay } from "node:timers/promises";
import type { WebhookDelivery, WebhookInfo } from "@antechamber/client/protocol";
import { Command, Option } from "commander";
import { parseDuration } from "../config/values.ts";
import type { Admin } from "../control/operations.ts";
import { loggedTypes } from "../session/event.ts";
import { deliveryStates } from "../session/webhook.ts";
import { withAdmin } from "./connect.ts";
import { engineOf } from "./engines.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { addExamples } from "./help.ts";
import { type Output, table, terminalSafe } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

interface Json {
  readonly json?: true;
}

/** `webhooks …`: manage the endpoints of webhooks and their deliveries. */
export function webhooksCommand(output: Output): Command {
  return new Command("webhooks")
    .description("manage the endpoints to which events are sent, and see their deliveries")
    .addCommand(listCommand(output))
    .addCommand(addCommand(output))
    .addCommand(showCommand(output))
    .addCommand(updateCommand(output))
    .addCommand(removeCommand(output))
    .addCommand(testCommand(output))
    .addCommand(rotateCommand(output))
    .addCommand(deliveriesCommand(output))
    .addCommand(redeliverCommand(output));
}

/** Runs `use` on the data of the command's settings. */
function run<Result>(self: Command, use: (admin: Admin) => Promise<Result>, mustExist = true): Promise<Result> {
  return withAdmin(loadSettings(self).config, use, { mustExist });
}

function typesOption(): Option {
  return new Option("--type <type>", "a type of events to send; repeatable, without it all types")
    .choices(loggedTypes)
    .argParser((type: string, before: string[] | undefined) => {
      if ((loggedTypes as readonly string[]).includes(type)) return [...(before ?? []), type];
      throw new CliError(exitCodes.usage, `--type ${JSON.stringify(type)} is none of ${loggedTypes.join(", ")}`);
    });
}

function listCommand(output: Output): Command {
  const command = new Command("list")
    .description("list all endpoints, oldest first")
    .option("--json", "print them as JSON")
    .action(async ({ json }: Json, self: Command) => {
      const webhooks = await run(self, (admin) => admin.listWebhooks());
      if (json === true) output.printJson(webhooks);
      else output.print(webhooks.length === 0 ? "There are no endpoints." : webhookTable(webhooks));
    });
  return addExamples(addSettings(command, dataSettings), [["webhooks list", "all endpoints with their backlogs"]]);
}

interface Members extends Json {
  readonly url?: string;
  readonly type?: string[];
  readonly allTypes?: true;
  readonly description?: string;
  readonly enable?: true;
  readonly disable?: true;
}

function addCommand(output: Output): Command {
  const command = new Command("add")
    .description("add an endpoint and print its secret, which cannot be shown again")
    .argument("<url>", "the URL of the receiver: https, or http to this machine or to webhookAllowedHosts")
    .addOption(typesOption())
    .option("--description <text>", "a text for people")
    .option("--disable", "send nothing until it is enabled")
    .option("--json", "print the endpoint and its secret as JSON")
    .action(async (url: string, { type, description, disable, json }: Members, self: Command) => {
      const members = { url, types: type ?? null, description: description ?? null, isEnabled: disable !== true };
      const { webhook, secret } = done(await run(self, (admin) => admin.createWebhook(members), false));
      if (json === true) output.printJson({ ...webhook, secret });
      else printSecret(secret, `of the endpoint ${webhook.id}`, output);
    });
  return addExamples(addSettings(command, [...dataSettings, "webhookAllowedHosts"]), [
    ["webhooks add https://shop.example/hooks", "all events"],
    ["webhooks add https://shop.example/hooks --type session.ended --type session.expired", "some types"],
  ]);
}

/** Prints only the secret to stdout, so that SECRET=$(antechamber webhooks add …) works. */
function printSecret(secret: string, ofWhat: string, output: Output): void {
  output.print(secret);
  output.remark(`This is the only time that this secret ${ofWhat} is shown.`);
}

function showCommand(output: Output): Command {
  const command = new Command("show")
    .description("show an endpoint and its backlog")
    .argument("<id>", "id of the endpoint, as webhooks list shows it")
    .option("--json", "print it as JSON")
    .action(async (id: string, { json }: Json, self: Command) => {
      const webhook = await run(self, (admin) => admin.getWebhook(id));
      if (webhook === undefined) throw notFound;
      if (json === true) output.printJson(webhook);
      else output.print(webhookText(webhook));
    });
  return addExamples(addSettings(command, dataSettings), [["webhooks show wh_9f86d081884c7d659a", "one endpoint"]]);
}

function updateCommand(output: Output): Command {
  const command = new Command("update")
    .description("change an endpoint")
    .argument("<id>", "id of the endpoint, as webhooks list shows it")
    .option("--url <url>", "the new URL of the receiver")
    .addOption(typesOption())
    .option("--all-types", "send all types of events")
    .option("--description <text>", "a text for people")
    .option("--enable", "send what happens from now on")
    .option("--disable", "send nothing until it is enabled")
    .option("--json", "print the endpoint as JSON")
    .action(async (id: string, options: Members, self: Command) => {
      const members = membersOf(options);
      const { webhook } = done(await run(self, (admin) => admin.updateWebhook({ id, ...members })));
      if (options.json === true) output.printJson(webhook);
      else output.print(webhookText(webhook));
    });
  return addExamples(addSettings(command, [...dataSettings, "webhookAllowedHosts"]), [
    ["webhooks update wh_9f86d081884c7d659a --enable", "after its receiver works again"],
  ]);
}

/** Converts the options into a change. Throws a usage error if they contradict each other, or if there are none. */
function membersOf({ url, type, allTypes, description, enable, disable }: Members) {
  const fail = (message: string) => new CliError(exitCodes.usage, message);
  if (enable === true && disable === true) throw fail("give either --enable or --disable");
  if (type !== undefined && allTypes === true) throw fail("give either --type or --all-types");
  const members = {
    ...(url !== undefined && { url }),
    ...(type !== undefined && { types: type }),
    ...(allTypes === true && { types: null }),
    ...(description !== undefined && { description }),
    ...((enable === true || disable === true) && { isEnabled: enable === true }),
  };
  if (Object.keys(members).length === 0) throw fail("give what to change, such as --url or --disable");
  return members;
}

function removeCommand(output: Output): Command {
  const command = new Command("remove")
    .description("remove an endpoint with its deliveries")
    .argument("<id>", "id of the endpoint, as webhooks list shows it")
    .action(async (id: string, _options: object, self: Command) => {
      if (!(await run(self, (admin) => admin.removeWebhook(id)))) throw notFound;
      output.remark(`The endpoint ${id} is removed.`);
    });
  return addExamples(addSettings(command, dataSettings), [["webhooks remove wh_9f86d081884c7d659a", "for good"]]);
}

/** How long (ms) `webhooks test` waits for the result: the time limit of an attempt, and some time for the queue. */
const TEST_WAIT_MS = 20_000;

function testCommand(output: Output): Command {
  const command = new Command("test")
    .description("send an event of the type webhook.test to an endpoint, and wait for the response")
    .argument("<id>", "id of the endpoint, as webhooks list shows it")
    .option("--json", "print the delivery as JSON")
    .action(async (id: string, { json }: Json, self: Command) => {
      const engine = engineOf(loadSettings(self).config);
      const isSent = engine.isShared || (await engine.connect()) !== undefined;
      const delivery = await run(self, (admin) => sendTest(admin, id, isSent ? TEST_WAIT_MS : 0));
      if (json === true) output.printJson(delivery);
      else output.print(deliveryTable([delivery]));
      if (!isSent) output.remark("No server runs on this data. The next one that starts sends the event.");
      if (!isSent || delivery.state === "delivered") return;
      const why = delivery.state === "pending" ? "no server has sent it yet: is a server running?" : lastText(delivery);
      throw new CliError(exitCodes.failure, `the test event was not delivered: ${why}`);
    });
  return addExamples(addSettings(command, dataSettings), [["webhooks test wh_9f86d081884c7d659a", "does it work?"]]);
}

async function sendTest(admin: Admin, id: string, waitMs: number): Promise<WebhookDelivery> {
  let { delivery } = done(await admin.testWebhook(id));
  const before = String(Number(delivery.id) + 1);
  const end = performance.now() + waitMs;
  while (delivery.state === "pending" && performance.now() < end) {
    await delay(50);
    const page = await admin.listDeliveries({ id, state: null, before, limit: 1 });
    delivery = page?.deliveries.find((one) => one.id === delivery.id) ?? delivery;
  }
  return delivery;
}

function rotateCommand(output: Output): Command {
  const command = new Command("rotate-secret")
    .description("sign with a new secret and print it; for a while messages are signed with the old one too")
    .argument("<id>", "id of the endpoint, as webhooks list shows it")
    .option("--grace <duration>", "time for which messages are signed with the old secret too, at most 7d", "24h")
    .option("--json", "print the endpoint and the new secret as JSON")
    .action(async (id: string, { grace, json }: Json & { grace: string }, self: Command) => {
      const graceMs = parseDuration(grace);
      if (graceMs === undefined) {
        const message = `--grace ${JSON.stringify(grace)} is not a duration such as 24h or 0s`;
        throw new CliError(exitCodes.usage, message);
      }
      const { webhook, secret } = done(await run(self, (admin) => admin.rotateWebhookSecret({ id, graceMs })));
      if (json === true) output.printJson({ ...webhook, secret });
      else printSecret(secret, `of the endpoint ${webhook.id}`, output);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["webhooks rotate-secret wh_9f86d081884c7d659a", "the receiver has a day to change to the new secret"],
    ["webhooks rotate-secret wh_9f86d081884c7d659a --grace 0s", "the old secret may have leaked"],
  ]);
}

function deliveriesCommand(output: Output): Command {
  const command = new Command("deliveries")
    .description("list the deliveries of an endpoint, newest first")
    .argument("<id>", "id of the endpoint, as webhooks list shows it")
    .addOption(new Option("--state <state>", "only those in this state").choices(deliveryStates))
    .option("--limit <number>", "the largest number of deliveries, up to 1000", "50")
    .option("--json", "print them as JSON")
    .action(async (id: string, options: DeliveryOptions, self: Command) => {
      const { state = null } = options;
      const limit = /^\d{1,4}$/.test(options.limit) ? Number(options.limit) : 0;
      if (limit < 1 || limit > 1000) throw new CliError(exitCodes.usage, "--limit is a whole number of 1 to 1000");
      const page = await run(self, (admin) => admin.listDeliveries({ id, state, before: null, limit }));
      if (page === undefined) throw notFound;
      if (options.json === true) output.printJson(page.deliveries);
      else output.print(page.deliveries.length === 0 ? "There are no deliveries." : deliveryTable(page.deliveries));
    });
  return addExamples(addSettings(command, dataSettings), [
    ["webhooks deliveries wh_9f86d081884c7d659a --state failed", "what did not arrive"],
  ]);
}

interface DeliveryOptions extends Json {
  readonly state?: (typeof deliveryStates)[number];
  readonly limit: string;
}

function redeliverCommand(output: Output): Command {
  const command = new Command("redeliver")
    .description("send a delivery again, before all others")
    .argument("<id>", "id of the endpoint, as webhooks list shows it")
    .argument("<delivery>", "id of the delivery, as webhooks deliveries shows it")
    .action(async (id: string, deliveryId: string, _options: object, self: Command) => {
      done(await run(self, (admin) => admin.redeliver({ id, deliveryId })));
      output.remark(`The delivery ${deliveryId} is sent again.`);
    });
  return addExamples(addSettings(command, dataSettings), [
    ["webhooks redeliver wh_9f86d081884c7d659a 17", "after its receiver was repaired"],
  ]);
}

const notFound = new CliError(
  exitCodes.notFound,
  "there is no endpoint, or no delivery, with this id: webhooks list shows endpoints, webhooks deliveries what was sent",
);

/** Returns the result of an operation. Throws if it had no effect. */
function done<Result extends { readonly outcome: string }>(result: Result): Extract<Result, { outcome: "done" }> {
  if (result.outcome === "done") return result as Extract<Result, { outcome: "done" }>;
  if (!("faults" in result)) throw notFound;
  const faults = result.faults as readonly { readonly detail: string }[];
  throw new CliError(exitCodes.usage, faults.map(({ detail }) => detail.replace(/\.$/, "")).join("; "));
}

function webhookTable(webhooks: readonly WebhookInfo[]): string {
  const rows = webhooks.map((one) => [
    ...[one.id, stateOf(one), String(one.pending), one.oldestPendingAt ?? "-"],
    ...[one.types?.join(",") ?? "all", one.url],
  ]);
  return table([["ID", "STATE", "PENDING", "OLDEST", "TYPES", "URL"], ...rows]);
}

function webhookText(webhook: WebhookInfo): string {
  const { id, url, types, description, createdAt, secrets, pending, oldestPendingAt } = webhook;
  return table([
    ["id", id],
    ["url", url],
    ["types", types?.join(", ") ?? "all"],
    ["description", terminalSafe(description)],
    ["state", stateOf(webhook)],
    ["created", createdAt],
    ...secrets.map((one) => ["secret", `of ${one.createdAt}${one.expiresAt ? `, until ${one.expiresAt}` : ""}`]),
    ["pending", pending === 0 ? "0" : `${pending}, the oldest since ${oldestPendingAt}`],
  ]);
}

function stateOf({ isEnabled, disabledReason }: WebhookInfo): string {
  if (isEnabled) return "enabled";
  return disabledReason === "gone" ? "disabled (410)" : "disabled";
}

function deliveryTable(deliveries: readonly WebhookDelivery[]): string {
  const rows = deliveries.map((one) => [
    ...[one.id, one.type, one.handle ?? "-", one.state, String(one.attempts)],
    ...[lastText(one), one.queuedAt, one.nextAttemptAt ?? "-"],
  ]);
  return table([["ID", "TYPE", "SESSION", "STATE", "ATTEMPTS", "LAST", "QUEUED", "NEXT"], ...rows]);
}

/** Describes the last attempt: its status, or why there was no response. */
function lastText({ lastAttempt }: WebhookDelivery): string {
  if (lastAttempt === null) return "-";
  return lastAttempt.error ?? String(lastAttempt.status);
}
