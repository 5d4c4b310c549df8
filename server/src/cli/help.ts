import type { Command } from "commander";

/** Adds examples to the help of `command`: pairs of a command line and its purpose. */
export function addExamples(command: Command, examples: readonly (readonly [string, string])[]) {
  const lines = examples.map(([line, purpose]) => `  # ${purpose}\n  $ antechamber ${line}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
