import { Argument, Command } from "commander";
import { addExamples } from "./help.ts";
import type { Output } from "./output.ts";

/*
 * Completion of commands in a shell. The script that a shell loads runs `antechamber completion` with the words of the
 * command line, and this command prints the words that can stand at the cursor. So the script does not contain the
 * commands and does not change with them. If the command prints FILE or FOLDER instead of words, the shell completes a
 * path.
 */

const FILE = "<file>";
const FOLDER = "<folder>";

/** Words that can stand at the cursor, each with a description; or FILE or FOLDER. */
type Candidates = readonly (readonly [word: string, description: string])[];

interface Shell {
  /** Separator between a word and its description; "" if the shell does not show descriptions. */
  readonly separator: string;
  script(program: string): string;
}

const shells: Readonly<Record<string, Shell>> = {
  bash: {
    separator: "",
    script: (program) => `_${program}() {
  local found
  mapfile -t found < <(${program} completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=()
  case \${found[0]} in
    "${FILE}") compopt -o default ;;
    "${FOLDER}") compopt -o dirnames ;;
    *) COMPREPLY=("\${found[@]}") ;;
  esac
}
complete -F _${program} ${program}`,
  },
  zsh: {
    separator: ":",
    script: (program) => `#compdef ${program}
_${program}() {
  local -a found
  found=("\${(@f)$(${program} completion zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  case $found[1] in
    "") ;;
    "${FILE}") compset -P '*='; _files ;;
    "${FOLDER}") compset -P '*='; _files -/ ;;
    *) _describe ${program} found ;;
  esac
}
# Read from fpath this file is the function itself; sourced, it is registered.
if [[ $funcstack[1] == _${program} ]]; then
  _${program} "$@"
else
  compdef _${program} ${program}
fi`,
  },
  fish: {
    separator: "\t",
    script: (program) => `function __${program}_complete
  set -l word "$(commandline -ct)"
  set -l flag (string match -r '^--[^=]*=' -- $word)
  set -l found (${program} completion fish -- (commandline -opc)[2..-1] $word 2>/dev/null)
  switch "$found[1]"
    case '${FILE}'
      printf "$flag%s\\n" (__fish_complete_path (string replace -- "$flag" '' $word))
    case '${FOLDER}'
      printf "$flag%s\\n" (__fish_complete_directories (string replace -- "$flag" '' $word))
    case '*'
      printf '%s\\n' $found
  end
end
complete -c ${program} -f -a '(__${program}_complete)'`,
  },
};

/** `completion <shell>`: prints the script that makes a shell complete the commands of `program`. */
export function completionCommand(output: Output, program: Command): Command {
  const command = new Command("completion")
    .description("print the script that lets a shell complete commands and flags")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(shells)))
    .argument("[words...]", "words of a command line, for the script: print what may follow")
    .action((name: string, words: string[]) => {
      const { script, separator } = shells[name] as Shell;
      if (words.length === 0) {
        output.print(script(program.name()));
        return;
      }
      for (const [word, description] of candidatesFor(program, words)) {
        output.print(separator === "" || description === "" ? word : `${word}${separator}${description}`);
      }
    });
  return addExamples(command, [
    ["completion bash > ~/.local/share/bash-completion/completions/antechamber", "Bash, for good"],
    ["completion zsh > ~/.zfunc/_antechamber", "Zsh, with ~/.zfunc in fpath"],
    ["completion fish > ~/.config/fish/completions/antechamber.fish", "fish, for good"],
  ]);
}

/** Returns the words by which the last of `words` can be completed. */
export function candidatesFor(program: Command, words: readonly string[]): Candidates {
  // Bash splits `--flag=value` into three words.
  const before = words.slice(0, -1).filter((word) => word !== "=");
  const last = words.at(-1) === "=" ? "" : (words.at(-1) ?? "");
  const [, flag = before.at(-1), start = last] = /^(--[\w-]+)=(.*)$/.exec(last) ?? [];
  const command = before.reduce((at, word) => at.commands.find((below) => below.name() === word) ?? at, program);
  const options = command.createHelp().visibleOptions(command);
  const option = options.find(({ long }) => long === flag);
  const placeholder = /<([^<>]+)>/.exec(option?.flags ?? "")?.[1];
  if (option === undefined || placeholder === undefined) return wordsOf(command, last);
  const prefix = last.slice(0, last.length - start.length);
  return valuesOf(placeholder, option.argChoices, start).map(([word, description]) => [
    word === FILE || word === FOLDER ? word : prefix + word,
    description,
  ]);
}

/**
 * Returns the arguments or commands that begin with `start`. Returns flags if there are none, or if `start` begins with
 * "-".
 */
function wordsOf(command: Command, start: string): Candidates {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).filter((each) => each.name() !== "help");
  const [argument] = command.registeredArguments;
  const values = argument ? valuesOf(argument.name(), argument.argChoices, start) : [];
  const isFlag = start.startsWith("-");
  if (!isFlag && values.length > 0) return values;
  const found: Candidates =
    !isFlag && commands.length > 0
      ? commands.map((each) => [each.name(), each.description()])
      : // The help adds the variable and the default in brackets; that is too long for a menu.
        help
          .visibleOptions(command)
          .map(({ long, description }) => [long ?? "", description.replace(/ \(env: .*$/, "")]);
  return found.filter(([word]) => word.startsWith(start));
}

/** Returns the choices that begin with `start`; FILE or FOLDER if the value is a path. */
function valuesOf(name: string, choices: readonly string[] = [], start = ""): Candidates {
  if (name === "file") return [[FILE, ""]];
  if (name === "folder") return [[FOLDER, ""]];
  return choices.filter((word) => word.startsWith(start)).map((word) => [word, ""]);
}
