import { Argument, Command } from "commander";
import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { type CommandNode, treeOf } from "./completion/tree.ts";
import { zshScript } from "./completion/zsh.ts";
import { addExamples } from "./help.ts";
import type { Output } from "./output.ts";

type Script = (program: string, root: CommandNode) => string;

const scripts: Readonly<Record<string, Script>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `completion <shell>`: what makes a shell complete the commands of `program`. */
export function completionCommand(output: Output, program: Command): Command {
  const command = new Command("completion")
    .description("print the script that lets a shell complete commands and flags")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(scripts)))
    .action((shell: string) => {
      const script = scripts[shell] as Script;
      output.print(script(program.name(), treeOf(program)).trimEnd());
    });
  addExamples(command, [
    ["completion bash > ~/.local/share/bash-completion/completions/antechamber", "Bash, for good"],
    ["completion zsh > ~/.zfunc/_antechamber", "Zsh, with ~/.zfunc in fpath"],
    ["completion fish > ~/.config/fish/completions/antechamber.fish", "fish, for good"],
  ]);
  return command;
}
