import type { Command, Option } from "commander";

/** What may stand where a value is expected. */
export type ValueKind =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" | "folder" | "other" };

/** A flag as a shell needs it. */
export interface Flag {
  /** `--data-dir`. */
  readonly long: string;
  readonly description: string;
  /** `undefined` for a flag without a value. */
  readonly value: ValueKind | undefined;
}

/** A command as a shell needs it. */
export interface CommandNode {
  /** The words before it and its own, without the program's: `["keys", "create"]`. */
  readonly path: readonly string[];
  readonly description: string;
  readonly flags: readonly Flag[];
  /** What its first argument is, where it takes one. */
  readonly argument: ValueKind | undefined;
  readonly commands: readonly CommandNode[];
}

/** The commands of `program` as a shell needs them. */
export function treeOf(program: Command): CommandNode {
  return nodeOf(program, []);
}

/** A command and all below it, the outer ones first. */
export function flatten(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(flatten)];
}

/** The last word of a command's path. */
export function nameOf(node: CommandNode): string {
  return node.path.at(-1) ?? "";
}

function nodeOf(command: Command, path: readonly string[]): CommandNode {
  const help = command.createHelp();
  const [argument] = command.registeredArguments;
  const below = help.visibleCommands(command).filter((one) => one.name() !== "help");
  return {
    path,
    description: command.description(),
    flags: help.visibleOptions(command).flatMap(flagOf),
    argument: argument && kindOf(argument.name(), argument.argChoices),
    commands: below.map((one) => nodeOf(one, [...path, one.name()])),
  };
}

function flagOf(option: Option): Flag[] {
  if (!option.long) return [];
  // The part in brackets, on defaults and variables, is too long for a menu.
  const description = option.description.replace(/ \(env: .*$/, "");
  const placeholder = /<([^<>]+)>/.exec(option.flags)?.[1];
  const value = placeholder === undefined ? undefined : kindOf(placeholder, option.argChoices);
  return [{ long: option.long, description, value }];
}

/** Placeholders say what a value is: `<file>` and `<folder>` are paths. */
function kindOf(placeholder: string, choices: readonly string[] | undefined): ValueKind {
  if (choices !== undefined) return { kind: "words", words: choices };
  return { kind: placeholder === "file" || placeholder === "folder" ? placeholder : "other" };
}
