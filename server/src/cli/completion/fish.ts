import { type CommandNode, type Flag, flatten, nameOf } from "./tree.ts";

/** The completion script for fish. */
export function fishScript(program: string, root: CommandNode): string {
  const nodes = flatten(root);
  const paths = nodes.slice(1).map(({ path }) => quoted(path.join(" ")));
  return `# fish completion for ${program}
function __${program}_at --description 'Whether the command line is at this command'
  set -l path
  for word in (commandline -opc)[2..-1]
    set -l next (string join ' ' -- $path $word)
    contains -- $next ${paths.join(" ")}; and set path $path $word
  end
  test "$(string join ' ' -- $path)" = "$argv[1]"
end
complete -c ${program} -f
${nodes.flatMap((node) => linesOf(program, node)).join("\n")}
`;
}

function linesOf(program: string, node: CommandNode): string[] {
  const at = `-n ${quoted(`__${program}_at "${node.path.join(" ")}"`)}`;
  const start = `complete -c ${program} ${at}`;
  const lines = node.commands.map(
    (below) => `${start} -a ${nameOf(below)} -d ${quoted(below.description)}`,
  );
  if (node.argument?.kind === "file") lines.push(`${start} -F`);
  if (node.argument?.kind === "words")
    lines.push(`${start} -a ${quoted(node.argument.words.join(" "))}`);
  return [...lines, ...node.flags.map((flag) => `${start} ${flagPart(flag)}`)];
}

function flagPart({ long, description, value }: Flag): string {
  const parts = [`-l ${long.slice(2)}`, `-d ${quoted(description)}`];
  switch (value?.kind) {
    case "words":
      parts.push(`-x -a ${quoted(value.words.join(" "))}`);
      break;
    case "file":
      parts.push("-r -F");
      break;
    case "folder":
      parts.push("-x -a '(__fish_complete_directories)'");
      break;
    case "other":
      parts.push("-x");
      break;
    case undefined:
      break;
  }
  return parts.join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}
