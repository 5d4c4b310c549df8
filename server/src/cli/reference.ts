import type { Command } from "commander";
import { everyCommand } from "./program.ts";

/** Returns the help of every command in Markdown, for `docs/cli.md`. */
export function commandReference(program: Command): string {
  const sections: string[] = [];
  everyCommand(program, (command) => {
    const name = fullName(command);
    const level = name === program.name() ? "##" : "###";
    sections.push(`${level} ${name}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``);
  });
  return sections.join("\n\n");
}

function fullName(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${fullName(parent)} ${command.name()}`;
}

/** Returns the help of a command as it is printed: with the examples, 100 columns wide, without colours. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => 100,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.trim();
}
