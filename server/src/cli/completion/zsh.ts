import { type CommandNode, type Flag, flatten, nameOf, type ValueKind } from "./tree.ts";

/** The completion script for Zsh: a function for every command, in the manner of `_arguments`. */
export function zshScript(program: string, root: CommandNode): string {
  const functions = flatten(root).map((node) =>
    node.commands.length > 0 ? groupFunction(program, node) : leafFunction(program, node),
  );
  return `#compdef ${program}
# Zsh completion for ${program}
${functions.join("\n")}
# Read from fpath this file is the function itself; sourced, it is registered.
if [[ $funcstack[1] == _${program} ]]; then
  _${program} "$@"
else
  compdef _${program} ${program}
fi
`;
}

function functionName(program: string, { path }: CommandNode): string {
  return ["", program, ...path].join("_");
}

function groupFunction(program: string, node: CommandNode): string {
  const names = node.commands.map(
    (below) => `    ${quoted(`${nameOf(below)}:${below.description.replaceAll(":", "\\:")}`)}`,
  );
  const cases = node.commands.map(
    (below) => `    ${nameOf(below)}) ${functionName(program, below)} ;;`,
  );
  return `${functionName(program, node)}() {
  local context state line
  local -a commands
  commands=(
${names.join("\n")}
  )
  _arguments -C ${[...node.flags.map(flagSpec), "'1: :->command'", "'*:: :->rest'"].join(" \\\n    ")}
  [[ $state != command ]] || _describe command commands
  [[ $state == rest ]] || return
  case $line[1] in
${cases.join("\n")}
  esac
}`;
}

function leafFunction(program: string, node: CommandNode): string {
  const { argument, flags } = node;
  const specs = flags.map(flagSpec);
  if (argument !== undefined) specs.push(quoted(`1:${nameOf(node)}:${action(argument)}`));
  return `${functionName(program, node)}() {
  _arguments ${specs.join(" \\\n    ")}
}`;
}

function flagSpec({ long, description, value }: Flag): string {
  const text = description.replaceAll(/[[\]:\\]/g, "\\$&");
  const end = value === undefined ? "" : `:value:${action(value)}`;
  // The asterisk lets a flag be given again.
  return quoted(value === undefined ? `${long}[${text}]` : `*${long}=[${text}]${end}`);
}

function action(value: ValueKind): string {
  switch (value.kind) {
    case "words":
      return `(${value.words.join(" ")})`;
    case "file":
      return "_files";
    case "folder":
      return "_files -/";
    case "other":
      return " ";
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
