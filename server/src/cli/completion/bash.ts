import { type CommandNode, type Flag, flatten, nameOf } from "./tree.ts";

/*
 * The script needs nothing but Bash 4 or later, and runs nothing of ours: everything that it offers
 * is written into it. A flag means the same in every command that has it.
 */

/** The completion script for Bash. */
export function bashScript(program: string, root: CommandNode): string {
  const nodes = flatten(root);
  return `# Bash completion for ${program}
_${program}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
  local path= offered= word i
  # --flag=value comes as three words.
  if [[ $cur == "=" ]]; then
    cur=
  elif [[ $prev == "=" ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  case $prev in
${valueCases(nodes)}
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$path $word" in
      ${nodes.slice(1).map(quotedPath).join(" | ")}) path="$path $word" ;;
    esac
  done
  case $path in
${nodes.map(pathCase).join("\n")}
  esac
  if [[ $cur != -* ]]; then
    case $path in
${nodes.map(argumentCase).filter(Boolean).join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$offered" -- "$cur"))
  # Where files make no sense, none are offered.
  compopt +o default 2>/dev/null
}
complete -o default -F _${program} ${program}
`;
}

function quotedPath({ path }: CommandNode): string {
  return `" ${path.join(" ")}"`;
}

function valueCases(nodes: readonly CommandNode[]): string {
  const flags = new Map<string, Flag>();
  for (const flag of nodes.flatMap((node) => node.flags)) flags.set(flag.long, flag);
  return [...flags.values()]
    .flatMap(({ long, value }) => {
      if (value === undefined) return [];
      if (value.kind === "words") {
        const words = value.words.join(" ");
        return [`    ${long}) COMPREPLY=($(compgen -W "${words}" -- "$cur")); return ;;`];
      }
      if (value.kind !== "other") return [`    ${long}) return ;;`];
      return [`    ${long}) compopt +o default 2>/dev/null; return ;;`];
    })
    .join("\n");
}

function pathCase(node: CommandNode): string {
  const flags = node.flags.map(({ long }) => long).join(" ");
  const path = node.path.length === 0 ? '""' : quotedPath(node);
  // Flags are offered once one is begun, or where there is nothing else to offer.
  if (node.commands.length === 0) return `    ${path}) offered="${flags}" ;;`;
  const names = node.commands.map(nameOf).join(" ");
  return `    ${path}) offered="${names}"; [[ $cur != -* ]] || offered="${flags}" ;;`;
}

function argumentCase(node: CommandNode): string | undefined {
  const { argument } = node;
  if (argument === undefined || argument.kind === "other") return undefined;
  if (argument.kind !== "words") return `      ${quotedPath(node)}) return ;;`;
  return `      ${quotedPath(node)}) offered="${argument.words.join(" ")}" ;;`;
}
