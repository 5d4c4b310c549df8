import type { LifeEntry, RequestEntry, Timeline, TimelineEntry } from "@antechamber/client/protocol";
import { Command } from "commander";
import type { Admin } from "../control/operations.ts";
import { withAdmin } from "./connect.ts";
import { addExamples } from "./help.ts";
import { notFoundBy } from "./option-values.ts";
import { jsonText, type Output, terminalSafe } from "./output.ts";
import { addSettings, dataSettings, loadSettings } from "./settings.ts";

/** Number of entries that one request reads. */
const PAGE = 1000;
/** Width of the column with the events, and with the methods and statuses of requests. */
const WHAT_WIDTH = 12;

/** `sessions timeline`: shows what happened in a session. */
export function timelineCommand(output: Output): Command {
  const command = new Command("timeline")
    .summary("show the timeline of a session: its requests and the events of its life")
    .description(
      "show the timeline of a session: its requests, with the time at which each began and in the order in which they were recorded, and the events of its life",
    )
    .argument("<handle-or-id>", "handle of a stored session, or a session id")
    .option("--json", "print JSON, one entry a line")
    .action(async (handleOrId: string, options: { json?: true }, self: Command) => {
      const { config } = loadSettings(self);
      await withAdmin(config, async (admin) => {
        for await (const page of pagesOf(admin, handleOrId)) printPage(page, options.json === true, output);
      });
    });
  return addExamples(addSettings(command, dataSettings), [
    ["sessions timeline AZq0…", "what happened in a session, by its handle in a list or a log"],
    ["sessions timeline AZq0… --json", "for a script"],
  ]);
}

async function* pagesOf(admin: Admin, idOrHandle: string): AsyncGenerator<Timeline & { readonly isFirst: boolean }> {
  for (let after: string | null | undefined; after !== null; ) {
    const page = await admin.readTimeline({ idOrHandle, after: after ?? null, limit: PAGE });
    if (page === undefined) throw notFoundBy(idOrHandle, "timeline");
    yield { ...page, isFirst: after === undefined };
    after = page.next;
  }
}

function printPage(page: Timeline & { readonly isFirst: boolean }, isJson: boolean, output: Output): void {
  if (isJson) {
    for (const entry of page.records) output.print(jsonText(entry));
    return;
  }
  const paint = output.isColoured ? inColour : (text: string) => text;
  if (page.isFirst) {
    const removed = page.dropped === 0 ? "" : `, of which the oldest ${page.dropped} were removed`;
    output.print(`Session ${page.handle}: ${page.total} requests${removed}.`);
  }
  for (const entry of page.records) output.print(lineOf(entry, paint));
}

type Paint = (text: string, style: keyof typeof styles) => string;

/** Codes of ECMA-48: the beginning of each style. */
const styles = { dim: 2, event: 36, good: 32, refused: 33, failed: 31 } as const;

function inColour(text: string, style: keyof typeof styles): string {
  return `\u001B[${styles[style]}m${text}\u001B[0m`;
}

function lineOf(entry: TimelineEntry, paint: Paint): string {
  return entry.type === "request" ? requestLine(entry, paint) : eventLine(entry, paint);
}

function eventLine({ type, at, ids }: LifeEntry, paint: Paint): string {
  const given = Object.entries(ids).map(([name, id]) => `${name} ${terminalSafe(id)}`);
  return joined(paint(at, "dim"), paint(type.padEnd(WHAT_WIDTH), "event"), ...given);
}

function requestLine(entry: RequestEntry, paint: Paint): string {
  const { method, path, status, startedAt, durationMs, service, attributes } = entry;
  const what = `${terminalSafe(method)} ${status ?? "-"}`.padEnd(WHAT_WIDTH);
  const further = [
    ...(durationMs === null ? [] : [`${durationMs} ms`]),
    ...(service === null ? [] : [terminalSafe(service)]),
    ...Object.entries(attributes).map(([name, value]) => `${terminalSafe(name)}=${terminalSafe(value)}`),
  ];
  return joined(
    paint(startedAt, "dim"),
    paint(what, styleOf(status)),
    terminalSafe(path),
    ...further.map((text) => paint(text, "dim")),
  );
}

function styleOf(status: number | null): keyof typeof styles {
  if (status === null) return "dim";
  if (status >= 500) return "failed";
  return status >= 400 ? "refused" : "good";
}

function joined(...parts: readonly string[]): string {
  return parts.join("  ").trimEnd();
}
