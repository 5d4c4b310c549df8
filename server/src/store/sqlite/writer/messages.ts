import type { DataResult } from "../../ports/data.ts";
import type { Command, Group, GroupOutcome, GroupReply, GroupResult } from "./writer-protocol.ts";

/*
 * Makes and reads the messages between the threads. The texts of session data are JSON, whose many quotes would have to be
 * escaped inside JSON. So they are sent beside it, in the order of the commands or outcomes.
 */

/** Returns the message for commands, and for buffered records. */
export function groupOf(commands: readonly Command[], lines: string, linesAt: number): Group {
  const texts: string[] = [];
  const bare = commands.map((command) =>
    command.kind === "changeData" ? { ...command, change: withoutText(command.change, texts) } : command,
  );
  return { commands: JSON.stringify(bare), texts, lines, linesAt };
}

/** Returns the commands in a message. Buffered records are a command before the others. */
export function commandsIn({ commands, texts, lines, linesAt }: Group): Command[] {
  const group = JSON.parse(commands) as Command[];
  addTexts(
    group.flatMap((command) => (command.kind === "changeData" ? [command.change] : [])),
    texts,
  );
  return lines === "" ? group : [{ kind: "storeRecords", lines, now: linesAt }, ...group];
}

/** Returns the message for the result of a group. */
export function replyOf(result: GroupResult): GroupReply {
  const texts: string[] = [];
  const bare = result.outcomes.map((outcome) => (hasText(outcome) ? withoutText(outcome, texts) : outcome));
  return { result: JSON.stringify({ ...result, outcomes: bare }), texts };
}

/** Returns the result in a message. */
export function resultIn({ result, texts }: GroupReply): GroupResult {
  const parsed = JSON.parse(result) as GroupResult;
  addTexts(parsed.outcomes.filter(hasText), texts);
  return parsed;
}

type WithText = Extract<DataResult, { readonly outcome: "changed" }>;

function hasText(outcome: GroupOutcome | null): outcome is WithText {
  return typeof outcome === "object" && outcome !== null && "outcome" in outcome && outcome.outcome === "changed";
}

/** Appends the member `json` to `texts`, and returns the other members. */
function withoutText({ json, ...others }: { readonly json: string }, texts: string[]): object {
  texts.push(json);
  return others;
}

/** Adds the member `json` again. */
function addTexts(owners: readonly object[], texts: readonly string[]): void {
  for (const [i, owner] of owners.entries()) Object.assign(owner, { json: texts[i] });
}
