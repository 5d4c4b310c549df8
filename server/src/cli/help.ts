import type { Command } from "commander";

/** Ends the help of `command` with examples: pairs of a command line and what it is for. */
export function addExamples(command: Command, examples: readonly (readonly [string, string])[]) {
  const lines = examples.map(([line, purpose]) => `  # ${purpose}\n  $ antechamber ${line}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
